"""Answers read off a labelled file: how many classes, how even they are, whether probabilities are honest.

Columns: `label`, and optionally `prediction`, or a probability for each class as `p_CLASS`.
"""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from siftstream.models.calibration import expected_calibration_error, fit_temperature
from siftstream.schemas.errors import ConfigError

UNEVEN: Final = 5.0  # the commonest class over the rarest
ENOUGH: Final = 100  # rows with probabilities, for a word on calibration
OFF: Final = 0.03  # calibration error beyond what chance explains
SHOWN: Final = 4  # names of classes
PROBABILITY: Final = "p_"


@dataclass(frozen=True)
class Read:
    """Answers by name, and the figure that each stands on."""

    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    figures: dict[str, str] = field(default_factory=dict[str, str])


def read_off(file: Path) -> Read:
    """Return what a CSV or JSONL file of labelled samples answers.

    Raises:
        ConfigError: no such file, no labels, or probabilities that are none.
    """
    rows = list(_rows(file))
    if not rows:
        raise ConfigError(f"{file}: no rows; a labelled sample a line is expected")
    if "label" not in rows[0]:
        raise ConfigError(f"{file}: no column `label`; it has {', '.join(map(str, rows[0])) or 'none'}")
    labels = ["" if row.get("label") is None else str(row["label"]).strip() for row in rows]
    if "" in labels:
        raise ConfigError(f"{file}: sample {labels.index('') + 1} has no label; leave such samples out")
    columns = [name for name in rows[0] if name.startswith(PROBABILITY)]
    classes = [name.removeprefix(PROBABILITY) for name in columns]
    found = of_labels(labels, classes)
    if columns:
        return _with(found, of_probabilities(_probabilities(file, rows, columns, labels), labels, classes))
    if "prediction" in rows[0]:
        right = sum(
            str(row.get("prediction")).strip() == label for row, label in zip(rows, labels, strict=True)
        )
        return _with(
            found, Read({"model": True}, {"model": f"{right:,} of {len(rows):,} are predicted right"})
        )
    return found


def of_labels(labels: Sequence[str], classes: Sequence[str] = ()) -> Read:
    """Return the number of classes, and how even they are.

    >>> read = of_labels(["cat"] * 90 + ["dog"] * 10)
    >>> read.answers, read.figures["uneven"]
    ({'classes': 2, 'uneven': True}, '90 of 100 are cat, 10 dog')
    """
    counts = Counter(dict.fromkeys(classes, 0))
    counts.update(labels)
    (most, often), (least, seldom) = counts.most_common()[0], counts.most_common()[-1]
    figure = f"{often:,} of {len(labels):,} are {most}, {seldom:,} {least}"
    answers: dict[str, Any] = {"classes": len(counts)} if len(counts) > 1 else {}
    answers["uneven"] = often > UNEVEN * seldom
    names = list(counts)
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return Read(answers, {"classes": ", ".join(names[:SHOWN]) + more, "uneven": figure})


def of_probabilities(probs_BC: NDArray[np.float64], labels: Sequence[str], classes: Sequence[str]) -> Read:
    """Return whether probabilities of samples that the model was not trained on are calibrated.

    They are not where their expected calibration error is more than `OFF` above what a calibrated model
    would show by chance with so many rows. Too few rows leave it open.
    """
    model = Read({"model": True})
    if len(labels) < ENOUGH:
        return model
    number = {name: at for at, name in enumerate(classes)}
    targets_B = np.array([number[label] for label in labels])
    error, chance = expected_calibration_error(probs_BC, targets_B), by_chance(probs_BC)
    figure = f"expected calibration error {error:.3f} in {len(labels):,} rows, {chance:.3f} would be chance"
    if error <= chance + OFF:
        return _with(model, Read({"calibrated": "yes"}, {"calibrated": figure}))
    logits_BMC = np.log(np.maximum(probs_BC, 1e-12))[:, None]
    temperature = fit_temperature(logits_BMC, targets_B)
    figure = f"{figure}; a temperature of {temperature:.1f} would mend it best"
    return _with(model, Read({"calibrated": "no"}, {"calibrated": figure}))


def by_chance(probs_BC: NDArray[np.float64], bins: int = 15) -> float:
    """Return about the calibration error that a calibrated model shows: counts in a bin vary as coins do.

    >>> round(by_chance(np.full((100, 2), 0.5)), 3)  # |heads - 50| of 100 is about 4
    0.04
    """
    confidence = probs_BC.max(axis=1)
    bin_of = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    variances = np.bincount(bin_of, weights=confidence * (1.0 - confidence))
    return float(math.sqrt(2.0 / math.pi) * np.sqrt(variances).sum() / len(confidence))


def _probabilities(
    file: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], labels: Sequence[str]
) -> NDArray[np.float64]:
    """Return the probabilities, [B, C]."""
    unknown = [label for label in dict.fromkeys(labels) if PROBABILITY + label not in columns]
    if unknown:
        raise ConfigError(f"{file}: class {unknown[0]!r} has no column {PROBABILITY}{unknown[0]}")
    try:
        probs_BC = np.array([[float(row[name]) for name in columns] for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{file}: a probability is missing or no number: {error}") from error
    wrong = (~(probs_BC >= 0.0).all(axis=1)) | ~(np.abs(probs_BC.sum(axis=1) - 1.0) <= 0.01)
    if wrong.any():
        at = int(wrong.argmax())
        raise ConfigError(
            f"{file}: the probabilities of sample {at + 1} must be 0 or more and sum to 1;"
            f" got {probs_BC[at].round(3).tolist()}"
        )
    return probs_BC


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            if file.suffix.lower() == ".csv":
                yield from csv.DictReader(opened)
                return
            for number, line in enumerate(opened, 1):
                if line.strip():
                    yield _object(file, number, line)
    except OSError as error:
        raise ConfigError(f"--labelled {file}: cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not CSV in UTF-8: {error}") from error


def _object(file: Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{file}: line {number} is no JSON; name a CSV file .csv") from error
    if not isinstance(row, dict):
        raise ConfigError(f"{file}: line {number} is no JSON object")
    return row


def _with(one: Read, other: Read) -> Read:
    return Read(one.answers | other.answers, one.figures | other.figures)
