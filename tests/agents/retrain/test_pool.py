"""L in flat arrays: what it holds, what counts as a change, and what it takes."""

import asyncio
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siftstream.agents.retrain.pool import Pool
from siftstream.schemas import Slice, TrainingLabel
from siftstream.schemas.errors import SchemaError
from siftstream.streams.record import Record

CLASSES = ("cat", "dog")


class Log:
    """A `labelled` of two partitions that a pool folds."""

    def __init__(self) -> None:
        self.pool = Pool(CLASSES, 2)
        self.ends = [0, 0]

    def tell(self, name: str, label: str | None, **more: object) -> None:
        """Write a resolution."""
        told = TrainingLabel.model_validate(
            {"sample_id": name, "uri": f"file:///{name}.png", "label": label} | more
        )
        self.write(sum(name.encode()) % 2, told.encode())

    def write(self, partition: int, value: bytes) -> None:
        """Write a record."""
        offset = self.ends[partition]
        self.ends[partition] += 1
        self.pool.fold(Record("labelled", partition, offset, None, value))


def test_a_snapshot_is_in_the_order_of_the_ids_whatever_the_order_of_the_log() -> None:
    log = Log()
    for name in ("b", "é", "a", "zz", "B", "aa"):
        log.tell(name, "dog" if name == "a" else "cat", weight=0.5, inclusion_probability=0.25)
    shot = asyncio.run(log.pool.frozen().snapshot())
    assert list(shot.ids) == sorted(["b", "é", "a", "zz", "B", "aa"])
    assert shot.uris[list(shot.ids).index("zz")] == "file:///zz.png"
    assert shot.classes_N.tolist() == [int(name == "a") for name in shot.ids]
    assert shot.weights_N.dtype == np.float32
    assert set(shot.weights_N.tolist()) == {0.5}
    assert set(shot.chances_N.tolist()) == {0.25}
    assert shot.upto == tuple(log.ends)


def test_a_snapshot_does_not_move_when_the_pool_does() -> None:
    log = Log()
    log.tell("a", "cat")
    frozen = log.pool.frozen()
    log.tell("a", "dog")
    log.tell("b", "dog")
    shot = asyncio.run(frozen.snapshot())
    assert (list(shot.ids), shot.classes_N.tolist(), sum(shot.upto)) == (["a"], [0], 1)


def test_new_flipped_and_retracted_labels_are_changes_and_a_repetition_is_none() -> None:
    log = Log()
    for name in "abcd":
        log.tell(name, "cat", resolved_at=5.0)
    log.pool.count_from(log.pool.upto)
    assert log.pool.changed == 0
    log.tell("a", "cat", resolved_at=9.0)  # written again after a kill
    assert (log.pool.changed, log.pool.newest) == (0, 5.0)
    log.tell("a", "dog")
    log.tell("a", "cat")  # there and back: one sample, which changed
    log.tell("b", None)
    log.tell("c", "cat", slice=Slice.AUDIT, inclusion_probability=0.5)
    log.tell("e", "dog")
    log.tell("f", None)  # was only ever skipped: nothing to learn
    assert log.pool.changed == 4
    assert (len(log.pool), log.pool.training) == (4, 3)


def test_a_label_of_no_class_of_ours_is_not_usable() -> None:
    log = Log()
    log.tell("a", "cow")
    assert len(log.pool) == 0
    log.tell("a", "cat")
    log.tell("a", "cow")
    assert len(log.pool) == 0
    assert log.pool.changed == 1
    assert len(asyncio.run(log.pool.frozen().snapshot())) == 0


def test_garbage_moves_on() -> None:
    log = Log()
    with pytest.raises(SchemaError):
        log.write(1, b"garbage")
    assert log.pool.upto == (0, 1)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from([None, *CLASSES]), st.sampled_from(Slice))
        | st.tuples(st.integers(0, 12), st.integers(0, 12)),
        max_size=40,
    )
)
def test_the_counters_are_what_counting_anew_gives(steps: list[tuple[Any, ...]]) -> None:
    log = Log()
    labels: dict[str, tuple[Any, ...]] = {}
    changed: dict[str, tuple[int, int]] = {}
    since = [0, 0]
    for step in steps:
        if isinstance(step[0], int):
            since = list(step)
            log.pool.count_from(since)
        else:
            name, label, part = step
            where = sum(str(name).encode()) % 2
            content = (label, part) if label is not None else ()
            if labels.get(str(name), ()) != content:
                labels[str(name)], changed[str(name)] = content, (where, log.ends[where])
            log.tell(str(name), label, slice=part)
        usable = [content for content in labels.values() if content]
        assert len(log.pool) == len(usable)
        assert log.pool.training == sum(content[1] is Slice.TRAIN for content in usable)
        assert log.pool.changed == sum(offset >= since[where] for where, offset in changed.values())


def test_a_label_takes_less_than_five_hundred_bytes() -> None:
    count, pool = 20_000, Pool(CLASSES, 1)
    template = TrainingLabel(sample_id="X" * 32, uri="U" * 60, label="cat", annotators=("ann",)).encode()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            value = template.replace(b"X" * 32, b"%032d" % number).replace(
                b"U" * 60, b"file:///%052d" % number
            )
            pool.fold(Record("labelled", 0, number, None, value))
        taken = (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()
    assert len(pool) == count
    assert taken < 500
