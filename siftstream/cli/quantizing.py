"""`siftstream models quantize`: calibrate on real samples, compare, publish."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from siftstream.cli.samples import Gathered, of_data, of_labels
from siftstream.cli.versions import named, publish, refuse_taken, versions_of, write
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.compare import Compared, compare
from siftstream.models.loaded import LoadedModel
from siftstream.models.quantize import quantized
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.schemas.arrays import rows
from siftstream.schemas.errors import ConfigError, ModelError
from siftstream.settings import Settings

Told = Callable[[str], None]


def quantize_version(
    settings: Settings, name: str, data: list[str], samples: int, new_name: str, *,
    live: bool, folder: Path | None, told: Told,
) -> None:  # fmt: skip
    """Make a version int8 and publish it, or write its files into `folder`; its head stays as it is.

    Raises:
        SiftError: in a sentence, whatever cannot be done.
    """
    versions = versions_of(settings)
    version = named(versions, name, settings.model.line)
    new_name = new_name or f"{version.version}-int8"
    if folder is None:
        refuse_taken(versions, new_name)
    if version.encoder is None or version.head is None:
        raise ModelError(f"model {version.version}: is {version.status} and has nothing to quantise")
    store = ArtifactStore.open(settings.model.artifacts)
    onnx, head = store.get(version.encoder), store.get(version.head)
    before = LoadedModel.load(version, store, settings.model, classes=settings.classes)
    calibration, judged = _halves(_samples(settings, data, 2 * samples))
    told(f"calibrating on {len(calibration):,} samples, comparing on {len(judged):,} others")
    made = quantized(onnx, calibration.inputs)
    encoder = store.put(made, ".onnx")
    int8 = version.model_copy(
        update={"version": new_name, "encoder": encoder, "parent": version.version, "metrics": {}}
    )
    after = LoadedModel.load(int8, store, settings.model, classes=settings.classes)
    found = compare(before, after, judged.inputs, judged.targets(settings.classes))
    for words in told_of(found, len(onnx), len(made)):
        told(words)
    status = VersionStatus.LIVE if live else VersionStatus.CANDIDATE
    int8 = int8.model_copy(
        update={"status": status, "reason": _reason(version, found), "metrics": _metrics(found)}
    )
    int8 = ModelVersion.model_validate(int8.model_dump(exclude={"created_at"}))
    if folder is not None:
        write(folder, made, head, int8)
        told(f"written to {folder}: nothing was published")
        return
    publish(settings, int8)
    told(f"{new_name} is {status} in the line {int8.line}")


def told_of(found: Compared, size_before: int, size_after: int) -> list[str]:
    """Say what changed, a line a figure."""
    least, median, most = found.speed
    accuracy = (
        f"accuracy {found.accuracy[0]:.3f} before, {found.accuracy[1]:.3f} after ({found.labelled:,} labels)"
        if found.accuracy
        else "accuracy: no labels of these samples are known"
    )
    return [
        accuracy,
        f"agreement with fp32: {found.agreement:.1%} of {found.samples:,} samples",
        f"mean absolute change of a probability: {found.change:.4f}",
        f"size {size_before / 1e6:,.1f} MB before, {size_after / 1e6:,.1f} MB after",
        f"speed here: {median:.2f} times fp32 (interleaved, {least:.2f} to {most:.2f})",
    ]


def _samples(settings: Settings, data: list[str], most: int) -> Gathered:
    found = of_data(settings, data, most) if data else of_labels(settings, most)
    if len(found) < 2:
        raise ConfigError(
            f"{len(found)} samples to calibrate on and compare with, 2 are needed and 200 are good:"
            " give --data a folder or a list, or label some first"
        )
    return found


def _halves(found: Gathered) -> tuple[Gathered, Gathered]:
    """Calibrate on every second sample, compare on the others: no figure comes from what it was set by."""
    parts = [np.arange(start, len(found), 2) for start in (0, 1)]
    first, second = (Gathered(rows(found.inputs, part), [found.labels[i] for i in part]) for part in parts)
    return first, second


def _reason(version: ModelVersion, found: Compared) -> str:
    return f"int8 of {version.version}: they agree on {found.agreement:.1%} of {found.samples} samples."


def _metrics(found: Compared) -> dict[str, float]:
    accuracy = {"accuracy": found.accuracy[1], "fp32_accuracy": found.accuracy[0]} if found.accuracy else {}
    return {
        **accuracy,
        "agreement": found.agreement,
        "probability_change": found.change,
        "speed": found.speed[1],
    }
