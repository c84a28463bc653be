"""A training run as a folder: what the parent writes, and what the child leaves. No pickle anywhere.

In: inputs-0.npy [N, ...] and so on, one an input of the model, targets.npy [N] int64, weights.npy [N]
float32, slices.npy [N] uint8, job.json, and in head mode frozen.onnx. Out: encoder.onnx (full mode),
head.safetensors, report.json.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from siftstream.models.settings import TrainSettings
from siftstream.schemas import Slice
from siftstream.schemas.arrays import Arrays, ArraySpec, described
from siftstream.schemas.errors import TrainingError

SLICES = (Slice.TRAIN, Slice.HOLDOUT, Slice.AUDIT)  # their places are the codes in slices.npy
TARGETS, WEIGHTS, CODES = "targets.npy", "weights.npy", "slices.npy"
JOB, REPORT, HEAD, ENCODER, FROZEN = (
    "job.json",
    "report.json",
    "head.safetensors",
    "encoder.onnx",
    "frozen.onnx",
)


class JobSpec(BaseModel):
    """job.json: all that is not an array."""

    classes: tuple[str, ...] = Field(min_length=2)
    inputs: tuple[str, ...] = Field(min_length=1, description="Names of the arrays inputs-0.npy and so on.")
    settings: TrainSettings


class Report(BaseModel):
    """report.json: how a training run went."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=True, ser_json_inf_nan="strings")

    error: str = Field(default="", description="Empty where all went well.")
    trained_on: int = 0
    held_out: int = 0
    temperature: float = 1.0
    temperature_from: str = Field(default="none", description="holdout, folds or none")
    train_loss: float = 0.0
    onnx_difference: float = Field(
        default=0.0, description="Largest difference of an embedding number, ONNX Runtime against torch."
    )
    steps: int = 0
    seconds: float = Field(default=0.0, description="Wall time of the training, without imports.")
    import_seconds: float = 0.0
    peak_mb: float = Field(default=0.0, description="Peak resident memory of the child, MiB.")


@dataclass(frozen=True, eq=False)
class Job:
    """Labels to learn from; `slices` says which of them may be trained on."""

    inputs: Arrays
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]
    slices: tuple[Slice, ...] | NDArray[np.uint8]
    classes: tuple[str, ...]
    settings: TrainSettings
    frozen: bytes | None = None

    def where(self, *wanted: Slice) -> NDArray[np.intp]:
        """Return the rows of these slices.

        >>> job = Job({"row": np.zeros((2, 4))}, np.zeros(2, np.int64), np.ones(2, np.float32),
        ...     (Slice.TRAIN, Slice.AUDIT), ("a", "b"), TrainSettings())
        >>> job.where(Slice.TRAIN).tolist()
        [0]
        """
        return np.flatnonzero(np.isin(_codes(self.slices), [SLICES.index(name) for name in wanted]))

    def write(self, folder: Path) -> None:
        """Write the job; `folder` is made where it is missing.

        Raises:
            TrainingError: nothing to train on, arrays of different lengths, a target that is no class, or
                inputs that the mode cannot read.
        """
        self.check()
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {
            **{_file(number): array for number, array in enumerate(self.inputs.values())},
            TARGETS: self.targets.astype(np.int64),
            WEIGHTS: self.weights.astype(np.float32),
            CODES: _codes(self.slices),
        }
        for name, array in arrays.items():
            np.save(folder / name, array, allow_pickle=False)
        if self.frozen is not None:
            (folder / FROZEN).write_bytes(self.frozen)
        spec = JobSpec(classes=self.classes, inputs=tuple(self.inputs), settings=self.settings)
        (folder / JOB).write_text(spec.model_dump_json(indent=2))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a job; the inputs are mapped from disk, not copied into memory.

        Raises:
            TrainingError: a file is missing or is not what it should be.
        """
        try:
            spec = JobSpec.model_validate_json((folder / JOB).read_bytes())
            inputs = {
                name: np.load(folder / _file(number), mmap_mode="r", allow_pickle=False)
                for number, name in enumerate(spec.inputs)
            }
            targets, weights, codes = (
                np.load(folder / name, allow_pickle=False) for name in (TARGETS, WEIGHTS, CODES)
            )
            frozen = (folder / FROZEN).read_bytes() if (folder / FROZEN).exists() else None
        except (OSError, ValueError, ValidationError) as error:
            raise TrainingError(f"training job {folder.name}: cannot be read: {error}") from error
        job = cls(inputs, targets, weights, codes, spec.classes, spec.settings, frozen)
        job.check()
        return job

    def images(self) -> NDArray[np.generic]:
        """Return the one array [N, channels, height, width] uint8 that mode 'full' reads.

        Raises:
            TrainingError: the inputs are none.
        """
        arrays = list(self.inputs.values())
        if len(arrays) != 1 or arrays[0].dtype != np.uint8 or arrays[0].ndim != 4:
            specs = {name: ArraySpec(a.shape[1:], a.dtype) for name, a in self.inputs.items()}
            raise TrainingError(
                "training job: mode 'full' reads uint8 images [channels, height, width], the transform makes"
                f" {described(specs)}; use mode 'head' with an encoder for it"
            )
        return arrays[0]

    def check(self) -> None:
        """Refuse what cannot be trained on.

        Raises:
            TrainingError: as `write` says.
        """
        lengths = {len(a) for a in (*self.inputs.values(), self.targets, self.weights, self.slices)}
        if len(lengths) != 1:
            raise TrainingError(
                f"training job: inputs, targets, weights and slices of lengths {sorted(lengths)}"
            )
        train = self.where(Slice.TRAIN)
        if not len(train):
            raise TrainingError("training job: no label in the training slice yet")
        if self.targets.min() < 0 or self.targets.max() >= len(self.classes):
            raise TrainingError(f"training job: a target outside the {len(self.classes)} classes")
        if self.weights.min() < 0 or not self.weights[train].sum() > 0:
            raise TrainingError("training job: label weights must be positive numbers")
        if self.settings.mode == "full":
            self.images()
        if self.settings.mode == "head" and self.frozen is None:
            raise TrainingError("training job: mode 'head' needs the encoder that stays frozen")


def _file(number: int) -> str:
    return f"inputs-{number}.npy"


def _codes(slices: Sequence[Slice] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    if isinstance(slices, np.ndarray):
        return slices
    return np.array([SLICES.index(name) for name in slices], np.uint8)


def write_report(folder: Path, report: Report) -> None:
    """Leave the report, whole or not at all."""
    part = folder / f".{REPORT}"
    part.write_text(report.model_dump_json(indent=2))
    part.replace(folder / REPORT)


def read_report(folder: Path) -> Report | None:
    """Return the report that a child left, None where it left none."""
    try:
        return Report.model_validate(json.loads((folder / REPORT).read_bytes()))
    except (OSError, ValueError):
        return None
