"""From what a person named to the material of an experiment: samples, classes, the part to test on."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.transforms.settings import TableSettings
from siftstream.demo.digits import write_digits
from siftstream.experiment.data import Known, is_csv, known_samples
from siftstream.experiment.material import Material
from siftstream.experiment.reading import Told, read_samples
from siftstream.models.encoder import Encoder
from siftstream.models.spare import spare_encoder
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas.arrays import ArraySpec, rows
from siftstream.schemas.errors import ConfigError
from siftstream.settings import Settings

DIGITS = "digits"  # scikit-learn's handwritten digits, where no such folder is
_BATCH = 256


@dataclass(frozen=True)
class Asked:
    """What the data is, and how much of it."""

    data: str
    test: str = "0.2"
    """A share of the data, or a path of its own."""
    pool: int | None = None
    label: str = "label"
    text: str = "text"
    mode: Literal["head", "full"] | None = None
    encoder: bytes | None = None
    jobs: int = 2


def prepared(asked: Asked, settings: Settings, folder: Path, told: Told) -> Material:
    """Read the data; `folder` takes what must be made first.

    Raises:
        ConfigError: no data there, or a class or a sample is missing.
        ModelError, InferenceError: the encoder does not read what the transform makes.
    """
    train = settings.retrain.train
    train = train if asked.mode is None else train.model_copy(update={"mode": asked.mode})
    share, test = _test(asked.test)
    if asked.data.endswith(".npz"):
        return _features(asked, share, test, train)
    known, pool = _drawn(asked, settings, folder, share, test)
    classes = settings.classes if "classes" in settings.model_fields_set else _classes_of(known)
    places = {name: number for number, name in enumerate(classes)}
    usable = np.array([one.label in places for one in known], bool)
    if not usable.all():
        other = Counter(one.label for one in known if one.label not in places).most_common(1)[0][0]
        told(f"{int((~usable).sum()):,} samples are of no class of the configuration, as {other!r}")
    kept = [one for one, fits in zip(known, usable, strict=True) if fits]
    if not kept:
        raise ConfigError(f"{asked.data}: no sample of the classes {', '.join(classes)}")
    read, inputs = asyncio.run(read_samples(kept, _as_written(asked, settings), told))
    labels = [one.label for one, had in zip(kept, read, strict=True) if had]
    pool = int(read[: int(usable[:pool].sum())].sum())
    classes_N = np.array([places[label] for label in labels], np.int64)
    material = Material(inputs, classes_N, tuple(classes), train, share, pool)
    return _embedded(material, asked, settings, told) if train.mode == "head" else material


def _as_written(asked: Asked, settings: Settings) -> Settings:
    """Return the settings with a table's rows read as the file on the command line is written."""
    if not isinstance(settings.transform, TableSettings):
        return settings
    said = (
        {"format": "csv", "header": (), "delimiter": ","} if is_csv(Path(asked.data)) else {"format": "json"}
    )
    return settings.model_copy(update={"transform": settings.transform.model_copy(update=said)})


def _test(word: str) -> tuple[float | None, Path | None]:
    try:
        share = float(word)
    except ValueError:
        return None, Path(word)
    if not 0 < share < 1:
        raise ConfigError(f"--test {word}: a share between 0 and 1, as 0.2, or a path")
    return share, None


def _drawn(
    asked: Asked, settings: Settings, folder: Path, share: float | None, test: Path | None
) -> tuple[list[Known], int]:
    """Return the samples that take part, those to choose from first, and how many of those there are."""
    table = isinstance(settings.transform, TableSettings)
    path = Path(asked.data)
    if asked.data == DIGITS and not path.exists():
        write_digits(folder / DIGITS, seed=0)
        path = folder / DIGITS
    found = known_samples(path, label=asked.label, text=asked.text, table=table)
    wanted = len(found)
    if asked.pool is not None:
        wanted = min(wanted, asked.pool if share is None else round(asked.pool / (1 - share)))
    order = np.random.default_rng(0).permutation(len(found))[:wanted]
    pool = [found[row] for row in np.sort(order)]
    tested = [] if test is None else known_samples(test, label=asked.label, text=asked.text, table=table)
    return [*pool, *tested], len(pool)


def _classes_of(known: Sequence[Known]) -> tuple[str, ...]:
    classes = sorted({one.label for one in known})
    if len(classes) < 2:
        raise ConfigError(f"all samples are of the class {classes[0]!r}: two classes are needed")
    return tuple(classes)


def _embedded(material: Material, asked: Asked, settings: Settings, told: Told) -> Material:
    """Add what the frozen encoder makes of the samples: it never changes, so it is computed once."""
    onnx = asked.encoder
    if onnx is None:
        specs = {name: ArraySpec(a.shape[1:], a.dtype) for name, a in material.inputs.items()}
        onnx = spare_encoder(specs, settings.model.seed, settings.model.dim)
        told(
            "mode head without --encoder: embeddings of an untrained, random encoder; they are weak, and so"
            " will be the accuracies"
        )
    encoder = Encoder(onnx, settings.model.anywhere().model_copy(update={"threads": asked.jobs}))
    parts = [
        encoder.embed(rows(material.inputs, slice(at, at + _BATCH))) for at in range(0, len(material), _BATCH)
    ]
    return replace(material, encoder=onnx, emb_ND=np.concatenate(parts))


def _features(asked: Asked, share: float | None, test: Path | None, train: TrainSettings) -> Material:
    """Return embeddings that were computed elsewhere, as they are: arrays `features` and `classes`."""
    if asked.mode == "full" or asked.encoder is not None:
        raise ConfigError(
            f"{asked.data}: features are learned by heads alone; leave --mode and --encoder out"
        )
    emb_ND, names_N = _arrays(Path(asked.data))
    if asked.pool is not None:
        wanted = asked.pool if share is None else round(asked.pool / (1 - share))
        order = np.sort(np.random.default_rng(0).permutation(len(emb_ND))[:wanted])
        emb_ND, names_N = emb_ND[order], names_N[order]
    pool = len(emb_ND)
    if test is not None:
        tested_ND, tested_N = _arrays(test)
        emb_ND, names_N = np.concatenate([emb_ND, tested_ND]), np.concatenate([names_N, tested_N])
    classes, classes_N = np.unique(names_N, return_inverse=True)
    if len(classes) < 2:
        raise ConfigError(f"{asked.data}: all samples are of one class: two classes are needed")
    spec = ArraySpec((emb_ND.shape[1],), np.dtype(np.float32))
    return Material(
        {"features": spec.empty()}, classes_N.astype(np.int64), tuple(str(name) for name in classes),
        train.model_copy(update={"mode": "head"}), share, pool,
        spare_encoder({"features": spec}, dim=emb_ND.shape[1]), emb_ND,
    )  # fmt: skip


def _arrays(path: Path) -> tuple[NDArray[np.float32], NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = arrays["features"].astype(np.float32), arrays["classes"]
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise ConfigError(
            f"{path}: arrays features [samples, dim] and classes [samples] are expected: {error}"
        ) from error
    if found[0].ndim != 2 or found[1].shape != found[0].shape[:1]:
        raise ConfigError(
            f"{path}: features {found[0].shape} and classes {found[1].shape} do not fit together"
        )
    return found
