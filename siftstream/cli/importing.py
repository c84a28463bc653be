"""`siftstream models import`: import, fit a head where labels are known, store, publish."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from siftstream.agents.fetch.transforms import make_transform
from siftstream.cli.fitting import FEWEST, fitted_head
from siftstream.cli.samples import Gathered, of_data, of_labels
from siftstream.cli.versions import publish, refuse_taken, versions_of, write
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.importing import Imported, Options, import_model
from siftstream.models.inputs import check_fit
from siftstream.schemas import Artifact, ModelVersion, VersionStatus
from siftstream.schemas.arrays import Specs
from siftstream.schemas.errors import ModelError, TrainingError
from siftstream.settings import Settings

Told = Callable[[str], None]
LABELS: Final = 5000  # newest ones that a head is fitted to


def import_version(
    settings: Settings, source: str, options: Options, data: list[str], name: str, *,
    live: bool, folder: Path | None, told: Told,
) -> None:  # fmt: skip
    """Import a model and publish it, or write its files into `folder`.

    Raises:
        SiftError: in a sentence, whatever does not fit.
    """
    began = time.monotonic()
    specs = make_transform(settings.transform).specs
    given = of_data(settings, data, LABELS) if data else None
    imported = import_model(source, options, samples=given.inputs if given else None, specs=specs, told=told)
    _check_fit(imported, specs, told, strict=folder is None)
    name = name or _name(imported)
    if folder is None:
        refuse_taken(versions_of(settings), name)
    head = imported.head if imported.known else _fitted(settings, imported, given, told)
    store = None if folder is not None else ArtifactStore.open(settings.model.artifacts)
    data_of_head = head.to_bytes()
    version = ModelVersion(
        line=settings.model.line, version=name, classes=settings.classes,
        status=VersionStatus.LIVE if live else VersionStatus.CANDIDATE,
        reason=f"Imported from {Path(source).name if source.endswith('.onnx') else source}.",
        encoder=_stored(store, imported.onnx, ".onnx", folder),
        head=_stored(store, data_of_head, ".safetensors", folder),
        inputs=imported.inputs, passes=imported.passes,
        metrics={"import_difference": imported.difference}, seconds=time.monotonic() - began,
    )  # fmt: skip
    if folder is not None:
        write(folder, imported.onnx, data_of_head, version)
        told(f"written to {folder}: nothing was published")
        return
    publish(settings, version)
    told(f"{name} is {version.status} in the line {version.line}: {len(imported.onnx) / 1e6:,.1f} MB")


def _stored(store: ArtifactStore | None, data: bytes, suffix: str, folder: Path | None) -> Artifact:
    if store is not None:
        return store.put(data, suffix)
    return ArtifactStore.open(str((folder or Path()) / "artifacts")).put(data, suffix)


def _name(imported: Imported) -> str:
    """Make a name up: the source's, and a part of the content's hash, so that another content has another."""
    import hashlib

    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", imported.name).strip("-") or "model"
    digest = hashlib.sha256(
        imported.onnx + imported.head.to_bytes() + bytes([imported.passes % 256])
    ).hexdigest()
    return f"{stem}-{digest[:8]}"


def _check_fit(imported: Imported, specs: Specs, told: Told, *, strict: bool) -> None:
    try:
        check_fit(imported.inputs, specs)
    except ModelError as error:
        if strict:
            raise
        told(f"note: {error}")


def _fitted(settings: Settings, imported: Imported, given: Gathered | None, told: Told) -> Head:
    """Return a head that was fitted to known labels, else the one that knows nothing; say which."""
    known = given
    if known is None and settings.kafka.servers:
        known = of_labels(settings, LABELS)
    try:
        head = fitted_head(settings, imported.onnx, known) if known is not None and len(known) else None
    except TrainingError as error:
        told(f"the head is not fitted: {error}")
        return imported.head
    if head is None or known is None:
        told(f"the head is not fitted: fewer than {FEWEST} labels of two classes are known yet")
        return imported.head
    told(f"the head is fitted to {(known.targets(settings.classes) >= 0).sum():,} known labels")
    return head
