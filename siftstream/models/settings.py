"""The settings of a pipeline's model: which one runs, how it learns, and when a new one may go live."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

SPARE = "spare"  # the version name before any model exists


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuntimeSettings(_Settings):
    """How a model runs in ONNX Runtime."""

    providers: tuple[str, ...] = Field(
        default=("tensorrt", "cuda", "cpu"),
        min_length=1,
        description="ONNX Runtime execution providers, best first; the first that really loads is used.",
    )
    require: Literal["tensorrt", "cuda", "cpu"] | None = Field(
        default=None,
        description="The only provider to run on: infer refuses to start, and a new model is refused, where"
        " it does not load. Unset: the first of `providers` that loads, in the end the CPU.",
    )
    precision: Literal["auto", "fp32", "fp16"] = Field(
        default="auto",
        description="'auto' runs in half precision (fp16) on a GPU where the embeddings stay the same but for"
        " rounding, and as the model was made (fp32, int8) on the CPU; 'fp16' does so on the CPU as well.",
    )
    threads: int = Field(
        default=1, ge=0, le=1024, description="CPU threads in one model run; 0 takes every core."
    )
    graph_cache: str | None = Field(
        default=None,
        description="Folder of graphs made for a GPU (fp16, TensorRT engines), so that a model opens faster"
        " the next time; unset: 'graphs' in the folder `state`; empty: none are kept.",
    )


class ModelSettings(RuntimeSettings):
    """Which line of models runs, and on what."""

    line: str = Field(
        default="main",
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of the line of models; versions of other lines in the same topic are ignored.",
    )
    artifacts: str = Field(
        default="artifacts",
        min_length=1,
        description="Where model files lie: a folder (path or file: URI) or s3://bucket/prefix.",
    )
    dim: int = Field(
        default=64, ge=2, le=4096, description="Embedding size (numbers a sample) of the built-in CNN."
    )
    seed: int = Field(default=0, ge=0, description="Seed of the spare encoder that runs before any model.")

    def anywhere(self) -> Self:
        """Return the settings for who only judges: no provider is required there."""
        return self.model_copy(update={"require": None})

    def kept_in(self, state: Path) -> Self:
        """Return the settings with the graph cache in the folder `state`, where none was named."""
        if self.graph_cache is not None:
            return self
        return self.model_copy(update={"graph_cache": str(state / "graphs")})


class TrainSettings(_Settings):
    """How a training run learns from the labels."""

    mode: Literal["full", "head"] = Field(
        default="full", description="'full' trains encoder and head; 'head' only a head on the live encoder."
    )
    epochs: int = Field(
        default=40, ge=1, le=10_000, description="Passes over the training labels (full mode)."
    )
    min_steps: int = Field(
        default=300,
        ge=1,
        description="Optimiser steps at least, so that few labels still train long enough (full mode).",
    )
    max_steps: int = Field(
        default=20_000,
        ge=1,
        description="Optimiser steps at most, so that many labels do not train for ever (full mode).",
    )
    batch_size: int = Field(default=32, ge=1, description="Samples an optimiser step (full mode).")
    learning_rate: float = Field(
        default=0.003, gt=0, description="Peak step size of Adam; rises first, then falls (full mode)."
    )
    weight_decay: float = Field(
        default=0.0005, ge=0, description="Pull of the weights towards zero (AdamW; full mode)."
    )
    l2: float = Field(
        default=1.0, ge=0, description="Strength of the Gaussian prior on a linear head (head mode)."
    )
    shift: int = Field(
        default=1, ge=0, le=8, description="Pixels by which training images are moved at random (full mode)."
    )
    dim: int = Field(
        default=64, ge=2, le=4096, description="Embedding size (numbers a sample) of the CNN (full mode)."
    )
    members: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Heads on the same encoder, each from another bootstrap; committees want 5 or so.",
    )
    calibrate_from: int = Field(
        default=30,
        ge=2,
        description="Held-out samples from which the temperature is fitted; with fewer it comes from five"
        " folds of the training labels (head mode) or stays 1 (full mode).",
    )
    prewarm: bool = Field(
        default=True,
        description="Keep a spare child process that has torch imported (about 550 MB), so that a run starts"
        " at once; false starts it on demand, which costs seconds.",
    )
    threads: int = Field(default=1, ge=1, le=1024, description="CPU threads of the trainer's child process.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="cpu", description="Where full training runs; 'auto' takes CUDA where it works, else the CPU."
    )
    seed: int = Field(default=0, ge=0, description="Seed of a training run: same labels, same model.")
    timeout: float = Field(
        default=3600.0, gt=0, description="Seconds after which a run is stopped and counts as failed."
    )


class GateSettings(_Settings):
    """When a trained candidate may replace the live model."""

    metric: Literal["accuracy", "macro_f1", "log_loss"] = Field(
        default="accuracy", description="What is compared on the held-out and audit samples."
    )
    tolerance: float = Field(
        default=0.02,
        ge=0,
        description="How much worse than the live model the candidate may be, in units of the metric.",
    )
    min_judged: int = Field(
        default=50,
        ge=1,
        description="Held-out and audit samples needed to judge; with fewer it goes live unjudged.",
    )
    promote: bool = Field(
        default=True, description="Put a candidate that passes live at once; false keeps it a candidate."
    )
