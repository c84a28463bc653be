"""Lineage: small, the same bytes for the same facts, and never trusted; two of them are compared by label."""

import gzip
import hashlib
from typing import Any

import numpy as np
import pytest

from siftstream.agents.retrain.origin import lineage_of
from siftstream.agents.retrain.pool import Snapshot
from siftstream.models.lineage import Lineage
from siftstream.models.provenance import LabelsApart, apart, counted, labels_apart
from siftstream.models.training import Job
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas.errors import ModelError


def lineage(ids: str, targets: tuple[int, ...], **more: Any) -> Lineage:
    facts = {
        "line": "main", "version": "v1", "classes": ("cat", "dog"), "settings": {}, "code": {},
        "trained_at": 0.0, "ids": tuple(ids), "targets": targets, "slices": (0,) * len(ids),
        "offsets": tuple(range(len(ids))),
    }  # fmt: skip
    return Lineage(**facts | more)


def snapshot(count: int) -> Snapshot:
    rng = np.random.default_rng(0)
    ids = sorted(hashlib.md5(str(number).encode()).hexdigest() for number in range(count))
    return Snapshot(
        ids, [f"file:///{name}" for name in ids], rng.integers(0, 2, count),
        np.ones(count, np.float32), rng.integers(0, 3, count).astype(np.uint8), np.full(count, np.nan),
        np.zeros(count), rng.integers(0, 8, count), rng.permutation(count), (count,) * 8,
    )  # fmt: skip


def made(pool: Snapshot, weights_N: np.ndarray) -> Lineage:
    job = Job(
        {"x": np.zeros((len(pool), 1))},
        pool.classes_N,
        weights_N,
        pool.slices_N,
        ("cat", "dog"),
        TrainSettings(),
    )
    return lineage_of("main", "v1", 5.0, pool, job, None)


def test_a_label_costs_less_than_thirty_bytes() -> None:
    pool = snapshot(20_000)
    weights = np.random.default_rng(1).random(20_000).astype(np.float32)
    assert len(made(pool, weights).to_bytes()) / 20_000 < 30
    assert len(made(pool, np.ones(20_000, np.float32)).to_bytes()) / 20_000 < 26


def test_it_comes_back_as_it_was_weights_to_the_last_bit() -> None:
    pool, weights = snapshot(200), np.random.default_rng(1).random(200).astype(np.float32)
    there = made(pool, weights)
    back = Lineage.from_bytes(there.to_bytes())
    assert back == there
    assert (np.array(back.weights, np.float32) == weights).all()
    assert back.offsets == tuple(pool.offsets_N.tolist())
    assert there.to_bytes() == made(pool, weights).to_bytes()  # no clock in the file
    assert TrainSettings.model_validate(back.settings) == TrainSettings()


@pytest.mark.parametrize("data", [b"", b"{}", gzip.compress(b"{}"), gzip.compress(b"x" * 99)[:-9]])
def test_what_is_no_lineage_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="lineage: cannot be read"):
        Lineage.from_bytes(data)


def test_labels_are_counted_by_class_and_slice() -> None:
    found = counted(lineage("abcd", (0, 0, 1, 1), slices=(0, 1, 2, 0), offsets=(1, 2, 3, -1)))
    assert found == {"cat": {"train": 1, "holdout": 1}, "dog": {"audit": 1, "pseudo": 1}}


def test_two_lineages_differ_by_labels_and_settings() -> None:
    first = lineage("abc", (0, 0, 1))
    second = lineage("bcd", (1, 1, 0))
    assert labels_apart(first, second) == LabelsApart(("d",), ("a",), ("b",))
    renumbered = lineage("abc", (1, 1, 0), classes=("dog", "cat"))
    assert labels_apart(first, renumbered) == LabelsApart((), (), ())
    full = TrainSettings(mode="full", seed=3).model_dump(mode="json")
    assert apart(TrainSettings(mode="full").model_dump(mode="json"), full) == {"seed": (0, 3)}
