"""A training run as a folder: what the parent writes, and what the child leaves. No pickle anywhere.

In: job.json; targets.npy [N] int64, weights.npy [N] float32 and slices.npy [N] uint8 of all rows, perhaps
folds.npy [N] uint8;
inputs-0.npy [K, ...] and so on, one an input of the model, of the K rows that rows.npy [K] int64 names; in
head mode frozen.onnx, and known.npy [N, D] float32, the embeddings that are known (others are nan); in full
mode perhaps start.safetensors, the weights to begin with. Out: head.safetensors, embeddings.npy [N, D]
float32 of all rows, report.json, and in full mode encoder.onnx and weights.safetensors.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import Slice
from siftstream.schemas.arrays import Arrays, ArraySpec, described
from siftstream.schemas.errors import TrainingError

SLICES = (Slice.TRAIN, Slice.HOLDOUT, Slice.AUDIT)  # their places are the codes in slices.npy
TARGETS, WEIGHTS, CODES, ROWS, KNOWN = "targets.npy", "weights.npy", "slices.npy", "rows.npy", "known.npy"
FOLDS = "folds.npy"
JOB, FROZEN, START = "job.json", "frozen.onnx", "start.safetensors"
REPORT, HEAD, ENCODER, TENSORS, EMBEDDINGS = (
    "report.json",
    "head.safetensors",
    "encoder.onnx",
    "weights.safetensors",
    "embeddings.npy",
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
    calibrated_on: str = Field(default="none", description="holdout, folds or none")
    calibrated_by: str = Field(default="none", description="temperature, platt, isotonic or none")
    train_loss: float = 0.0
    onnx_difference: float = Field(
        default=0.0, description="Largest difference of an embedding number, ONNX Runtime against torch."
    )
    steps: int = 0
    notes: tuple[str, ...] = Field(default=(), description="Sentences: what a warm start and so on came to.")
    seconds: float = Field(default=0.0, description="Wall time of the training, without imports.")
    import_seconds: float = 0.0
    peak_mb: float = Field(default=0.0, description="Peak resident memory of the child, MiB.")


@dataclass(frozen=True, eq=False)
class Job:
    """Labels to learn from; `slices` says which of them may be trained on."""

    inputs: Arrays
    """Of the rows in `rows`, in that order."""
    targets: NDArray[np.int64]
    weights: NDArray[np.float32]
    slices: tuple[Slice, ...] | NDArray[np.uint8]
    classes: tuple[str, ...]
    settings: TrainSettings
    frozen: bytes | None = None
    rows: NDArray[np.int64] | None = None
    """Rows that `inputs` are of; none: all."""
    known: NDArray[np.float32] | None = None
    """Embeddings [N, D] of the frozen encoder, nan where not known; none: none is."""
    start: bytes | None = None
    """Weights to begin with, as safetensors (full mode)."""
    folds: NDArray[np.uint8] | None = None
    """The fold of each row, by its id (`judging.crossing`); none: the head gets no crossed calibrations."""

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
        arrays: dict[str, NDArray[Any]] = {
            **{inputs_file(number): array for number, array in enumerate(self.inputs.values())},
            TARGETS: self.targets.astype(np.int64),
            WEIGHTS: self.weights.astype(np.float32),
            CODES: _codes(self.slices),
            ROWS: self._rows(),
        }
        if self.known is not None:
            arrays[KNOWN] = self.known.astype(np.float32, copy=False)
        if self.folds is not None:
            arrays[FOLDS] = self.folds
        given = {**arrays, FROZEN: self.frozen, START: self.start}
        for name in (KNOWN, FOLDS, FROZEN, START):  # of an earlier job
            if given.get(name) is None:
                (folder / name).unlink(missing_ok=True)
        for name, array in arrays.items():
            if not _lies_at(array, folder / name):
                np.save(folder / name, array, allow_pickle=False)
        for name, data in ((FROZEN, self.frozen), (START, self.start)):
            if data is not None:
                (folder / name).write_bytes(data)
        spec = JobSpec(classes=self.classes, inputs=tuple(self.inputs), settings=self.settings)
        (folder / JOB).write_text(spec.model_dump_json(indent=2))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a job; inputs and known embeddings are mapped from disk, not copied into memory.

        Raises:
            TrainingError: a file is missing or is not what it should be.
        """
        try:
            spec = JobSpec.model_validate_json((folder / JOB).read_bytes())
            inputs = {name: _mapped(folder / inputs_file(number)) for number, name in enumerate(spec.inputs)}
            targets, weights, codes, rows = (
                np.load(folder / name, allow_pickle=False) for name in (TARGETS, WEIGHTS, CODES, ROWS)
            )
            known, folds = (
                _mapped(folder / name) if (folder / name).exists() else None for name in (KNOWN, FOLDS)
            )
            frozen, start = (
                (folder / name).read_bytes() if (folder / name).exists() else None for name in (FROZEN, START)
            )
        except (OSError, ValueError, ValidationError) as error:
            raise TrainingError(f"training job {folder.name}: cannot be read: {error}") from error
        job = cls(
            inputs, targets, weights, codes, spec.classes, spec.settings, frozen, rows, known, start, folds
        )
        job.check()
        return job

    def _rows(self) -> NDArray[np.int64]:
        return np.arange(len(self.targets)) if self.rows is None else self.rows.astype(np.int64)

    def images(self) -> NDArray[np.generic]:
        """Return the one array [N, channels, height, width] uint8 that the built-in CNN reads.

        Raises:
            TrainingError: the inputs are none.
        """
        arrays = list(self.inputs.values())
        if len(arrays) != 1 or arrays[0].dtype != np.uint8 or arrays[0].ndim != 4:
            specs = {name: ArraySpec(a.shape[1:], a.dtype) for name, a in self.inputs.items()}
            raise TrainingError(
                "training job: the built-in CNN reads uint8 images [channels, height, width], the transform"
                f" makes {described(specs)}; name another retrain.train.full.encoder, or use mode 'head'"
            )
        return arrays[0]

    def check(self) -> None:
        """Refuse what cannot be trained on.

        Raises:
            TrainingError: as `write` says.
        """
        folds = self.targets if self.folds is None else self.folds
        lengths = {len(a) for a in (self.targets, self.weights, self.slices, folds)}
        given = {len(a) for a in (*self.inputs.values(), self._rows())}
        if len(lengths) != 1 or len(given) != 1 or (self.rows is None and lengths != given):
            raise TrainingError(
                f"training job: targets, weights, slices and folds of lengths {sorted(lengths)}, inputs and"
                f" their rows of lengths {sorted(given)}"
            )
        rows = self._rows()
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self.targets):
            raise TrainingError(f"training job: inputs of rows that are none of the {len(self.targets)}")
        train = self.where(Slice.TRAIN)
        if not len(train):
            raise TrainingError("training job: no label in the training slice yet")
        if self.targets.min() < 0 or self.targets.max() >= len(self.classes):
            raise TrainingError(f"training job: a target outside the {len(self.classes)} classes")
        if self.weights.min() < 0 or not self.weights[train].sum() > 0:
            raise TrainingError("training job: label weights must be positive numbers")
        refusal = self.settings.calibration.refusal(len(self.classes))
        if refusal is not None:
            raise TrainingError(f"training job: {refusal}")
        if self.settings.mode == "full" and self.settings.full.encoder == "cnn":
            self.images()
        if self.settings.mode == "head" and self.frozen is None:
            raise TrainingError("training job: mode 'head' needs the encoder that stays frozen")


def inputs_file(number: int) -> str:
    """Return the name of the file of an input, by its place among them."""
    return f"inputs-{number}.npy"


def _lies_at(array: NDArray[Any], path: Path) -> bool:
    """Tell whether the array is the one mapped from `path`, written there because it is large."""
    found = array.filename if isinstance(array, np.memmap) else None
    return found is not None and Path(found).resolve() == path.resolve()


def _mapped(path: Path) -> NDArray[Any]:
    return np.load(path, mmap_mode="r", allow_pickle=False)


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
