"""The settings of a pipeline's model: which line of models runs, and on what."""

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
