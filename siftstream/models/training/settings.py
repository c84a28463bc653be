"""How a training run learns: mode, head, encoder, weights of labels, calibration, limits."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

_ENCODER = re.compile(
    r"(torchvision|timm):[\w.\-/:]+|hf:.+|hub:.+:\w+|(?!(hub|torch):)[A-Za-z_][\w.]*:[A-Za-z_]\w*"
)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeadSettings(_Settings):
    """The head that `mode: head` fits on the frozen encoder's embeddings."""

    kind: Literal["linear", "mlp"] = Field(
        default="linear", description="'mlp' has one hidden layer; strategies that read the head want linear."
    )
    hidden: int = Field(default=64, ge=2, le=4096, description="Units of the hidden layer (mlp).")
    l2: Annotated[float, Field(ge=0)] | Literal["auto"] = Field(
        default="auto",
        description="Strength of the Gaussian prior on the weights; 'auto' takes the one with the least log"
        " loss in five folds of the training labels.",
    )


class AugmentSettings(_Settings):
    """How training images are changed at random, each time they are seen; other inputs stay as they are."""

    shift: Annotated[int, Field(ge=0, le=64)] | Literal["auto"] = Field(
        default="auto",
        description="Pixels by which they are moved at most; 'auto': an eighth of the shorter side.",
    )
    flip: bool = Field(default=False, description="Mirror half of them: not for digits or text.")
    brightness: float = Field(default=0.0, ge=0, le=1, description="Change of brightness at most, a share.")
    contrast: float = Field(default=0.0, ge=0, le=1, description="Change of contrast at most, a share.")
    erase: float = Field(
        default=0.0, ge=0, le=1, description="Side of a square that is blanked at most, a share of the image."
    )


class EarlyStoppingSettings(_Settings):
    """Ends a full run when the held-out samples say that it learns no more, and keeps the best weights."""

    patience: int = Field(
        default=0, ge=0, description="Epochs without a lower held-out log loss; 0: all epochs are run."
    )
    min_held: int = Field(default=50, ge=2, description="Held-out samples that it takes to say so.")


class FullSettings(_Settings):
    """The encoder that `mode: full` trains, and how."""

    encoder: str = Field(
        default="cnn",
        min_length=1,
        description="'cnn' (built in), torchvision:NAME, timm:NAME, hub:OWNER/REPO:NAME, hf:NAME_OR_FOLDER,"
        " or package.module:factory of yours, which returns a torch module.",
    )
    pretrained: bool = Field(default=True, description="Begin a library's encoder with its weights.")
    start: Literal["fresh", "warm"] = Field(
        default="fresh", description="'warm' begins with the weights of the live version, where they fit."
    )
    dim: int = Field(default=64, ge=2, le=4096, description="Embedding size (numbers a sample) of the CNN.")
    epochs: int = Field(default=40, ge=1, le=10_000, description="Passes over the training labels.")
    min_steps: int = Field(
        default=300, ge=1, description="Optimiser steps at least, so that few labels still train long enough."
    )
    max_steps: int = Field(
        default=20_000,
        ge=1,
        description="Optimiser steps at most, so that many labels do not train for ever.",
    )
    batch_size: int = Field(default=32, ge=1, description="Samples an optimiser step.")
    learning_rate: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        default="auto",
        description="Peak step size of Adam; rises first, then falls. 'auto': 0.003 for the CNN and heads,"
        " 0.001 for other encoders from random weights and for yours, 0.0002 for pretrained ones, 0.00005 for"
        " pretrained transformers of hf.",
    )
    weight_decay: float = Field(default=0.0005, ge=0, description="Pull of the weights towards zero (AdamW).")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="cpu", description="'auto' takes CUDA where it works, else the CPU."
    )
    amp: bool = Field(default=True, description="Half precision where it is safe, on a GPU.")
    augment: AugmentSettings = AugmentSettings()
    early_stopping: EarlyStoppingSettings = EarlyStoppingSettings()

    @field_validator("encoder")
    @classmethod
    def _names_an_encoder(cls, value: str) -> str:
        if value != "cnn" and not _ENCODER.fullmatch(value):
            raise ValueError(
                f"{value!r} names no encoder; write cnn, torchvision:NAME, timm:NAME, hub:OWNER/REPO:NAME,"
                " hf:NAME_OR_FOLDER, or package.module:factory"
            )
        return value


class WeightSettings(_Settings):
    """What each label counts in training."""

    classes: Literal["none", "balanced", "stream"] | Mapping[str, Annotated[float, Field(gt=0)]] = Field(
        default="none",
        description="'balanced': all classes count alike; 'stream': as often as the audit slice, corrected by"
        " its inclusion probabilities, finds them in the stream; or a number by class, others 1.",
    )
    half_life: float | None = Field(
        default=None, gt=0, description="Seconds after which a label counts half; none: for ever the same."
    )
    agreement: bool = Field(default=True, description="Let a label count by its annotators' agreement.")

    def refusal(self, classes: Sequence[str]) -> str | None:
        """Say which weights are of no class of the pipeline, if any."""
        if isinstance(self.classes, str):
            return None
        strange = [name for name in self.classes if name not in classes]
        if not strange:
            return None
        return (
            f"weights.classes: {strange[0]!r} is no class of this pipeline; its classes are"
            f" {', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}"
        )


class PseudoSettings(_Settings):
    """Unlabelled samples that the live version is sure of, learned with its own answer."""

    confidence: float | None = Field(
        default=None, gt=0.5, lt=1, description="Probability from which an answer is believed; none: never."
    )
    most: int = Field(default=1000, ge=1, description="Samples at most, the latest of the stream.")
    weight: float = Field(default=0.3, gt=0, le=1, description="What one counts beside a real label.")


class CalibrationSettings(_Settings):
    """How a candidate's probabilities are made honest, on samples it was not trained on."""

    method: Literal["temperature", "platt", "isotonic", "none"] = Field(
        default="temperature", description="'platt' and 'isotonic' are for two classes."
    )
    min_samples: int = Field(
        default=30,
        ge=2,
        description="Held-out samples from which it is fitted; with fewer it comes from five folds of the"
        " training labels (head mode) or is left out (full mode).",
    )

    def refusal(self, classes: int) -> str | None:
        """Say why this cannot be done with so many classes; None where it can.

        >>> CalibrationSettings(method="platt").refusal(10)
        "calibration.method: 'platt' is for two classes, and these are 10; take temperature"
        """
        if classes == 2 or self.method in ("temperature", "none"):
            return None
        says = f"calibration.method: '{self.method}' is for two classes"
        return f"{says}, and these are {classes}; take temperature"


class LimitSettings(_Settings):
    """What the trainer's child process may take."""

    threads: int = Field(default=1, ge=1, le=1024, description="CPU threads.")
    memory: int | None = Field(
        default=None, ge=1 << 28, description="Bytes of memory at most; none: the machine's."
    )
    timeout: float = Field(default=3600.0, gt=0, description="Seconds after which a run is stopped: failed.")
    stall: float = Field(
        default=300.0, gt=0, description="Seconds without any progress after which it is stopped: it hangs."
    )
    prewarm: bool = Field(
        default=True,
        description="Keep a spare child process that has torch imported (about 550 MB), so that a run starts"
        " at once; false starts it on demand, which costs seconds.",
    )


class TrainSettings(_Settings):
    """How a training run learns from the labels."""

    mode: Literal["full", "head"] = Field(
        default="full", description="'full' trains encoder and head; 'head' only a head on the live encoder."
    )
    members: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Heads on the same encoder, each from another bootstrap; committees want 5 or so.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of a training run: same labels, same model.")
    head: HeadSettings = HeadSettings()
    full: FullSettings = FullSettings()
    weights: WeightSettings = WeightSettings()
    pseudo: PseudoSettings = PseudoSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    limits: LimitSettings = LimitSettings()
