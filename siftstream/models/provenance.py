"""What a lineage says in short, and how two of them differ."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from siftstream.models.lineage import Lineage

SLICES = ("train", "holdout", "audit")  # as their places in a lineage
_NONE = "(not there)"


@dataclass(frozen=True)
class LabelsApart:
    """Ids of samples that only the second lineage has, only the first, or both otherwise labelled."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def counted(lineage: Lineage) -> dict[str, dict[str, int]]:
    """Return how many labels of each class each slice has; pseudo-labels count as a slice of their own.

    >>> counted(Lineage(line="l", version="v", classes=("a", "b"), settings={}, code={}, trained_at=0.0,
    ...     ids=("x", "y"), offsets=(3, 4), targets=(0, 0), slices=(0, 2)))
    {'a': {'train': 1, 'audit': 1}}
    """
    rows = zip(lineage.targets, lineage.slices, lineage.offsets, strict=True)
    found = Counter((target, "pseudo" if at < 0 else SLICES[slice_]) for target, slice_, at in rows)
    return {
        name: {where: found[number, where] for where in (*SLICES, "pseudo") if found[number, where]}
        for number, name in enumerate(lineage.classes)
        if any(target == number for target, _ in found)
    }


def apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the entries in which two nested mappings differ, by their dotted names.

    >>> apart({"mode": "head", "full": {"epochs": 40, "dim": 8}}, {"mode": "full", "full": {"epochs": 40}})
    {'full.dim': (8, '(not there)'), 'mode': ('head', 'full')}
    """
    ours, theirs = dict(_flat(first)), dict(_flat(second))
    return {
        name: (ours.get(name, _NONE), theirs.get(name, _NONE))
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name, _NONE) != theirs.get(name, _NONE)
    }


def labels_apart(first: Lineage, second: Lineage) -> LabelsApart:
    """Return whose labels two lineages do not share."""
    ours, theirs = _answers(first), _answers(second)
    both = ours.keys() & theirs.keys()
    return LabelsApart(
        tuple(sorted(theirs.keys() - both)),
        tuple(sorted(ours.keys() - both)),
        tuple(sorted(name for name in both if ours[name] != theirs[name])),
    )


def _answers(lineage: Lineage) -> dict[str, tuple[str, int]]:
    names = [lineage.classes[target] for target in lineage.targets]
    return dict(zip(lineage.ids, zip(names, lineage.slices, strict=True), strict=True))


def _flat(nested: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in nested.items():
        inner = isinstance(value, Mapping) and value
        found += _flat(value, f"{before}{name}.") if inner else [(f"{before}{name}", value)]
    return found
