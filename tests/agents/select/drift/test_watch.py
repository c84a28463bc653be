"""What the watch finds, where, and what follows from it."""

import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siftstream.agents.select.drift import Actions
from siftstream.agents.select.drift.detectors import LEVELS
from siftstream.schemas import Drift
from siftstream.schemas.errors import ConfigError, SchemaError
from tests.agents.select.drift.streams import stream_of, watch_of

DETECTORS = sorted(LEVELS)


def told(drifts: list[Drift]) -> list[dict[str, Any]]:
    """All of an event but the moment at which it was found."""
    return [drift.model_dump(exclude={"detected_at"}) for drift in drifts]


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_shift_in_embeddings_alone_is_found_as_such(detector: str):
    drifts = stream_of(1, 4_000, moved_at=2_000, embedding=0.5).drifts(watch_of(detector))
    assert [drift.statistic for drift in drifts] == ["embedding"]
    assert 2_000 < drifts[0].seen <= 2_500
    assert drifts[0].before == pytest.approx(1.0, abs=0.35)
    assert drifts[0].after > 5.0


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_fall_of_confidence_alone_is_found_as_such(detector: str):
    drifts = stream_of(2, 4_000, moved_at=2_000, confidence=0.1).drifts(watch_of(detector))
    assert [drift.statistic for drift in drifts] == ["confidence"]
    assert 2_000 < drifts[0].seen <= 2_500
    assert drifts[0].before == pytest.approx(0.9, abs=0.01)
    assert drifts[0].after == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("detector", DETECTORS)
def test_false_alarms_on_200_stationary_streams_are_few(detector: str):
    """400,000 samples, against a reference of 8 blocks; docs/drift.md has the figures for 16."""
    alarms = 0
    for seed in range(200):
        alarms += len(stream_of(seed, 2_000).drifts(watch_of(detector, reference=400)))
    assert alarms <= 32


def test_drift_is_found_between_training_and_going_live():
    """The embeddings' reference is the window that the version began with, though it scored none of it."""
    stream = stream_of(3, 4_000, moved_at=2_000, embedding=0.5, version_from={0: "v1", 2_000: "v2"})
    drifts = stream.drifts(watch_of())
    assert [(drift.model_version, drift.statistic) for drift in drifts] == [("v2", "embedding")]


def test_another_version_is_not_held_against_what_the_one_before_said():
    """Confidence falls with the version and not with the stream: no drift."""
    stream = stream_of(4, 4_000, moved_at=2_000, confidence=0.2, version_from={0: "v1", 2_000: "v2"})
    assert stream.drifts(watch_of()) == []


def test_a_block_that_two_versions_scored_counts_for_the_one_with_more_rows_and_by_these():
    """The last block is 20 rows of v1, then 30 of v2, whose confidence is lower by 0.2."""
    stream = stream_of(4, 1_050, moved_at=1_020, confidence=0.2, version_from={0: "v1", 1_020: "v2"})
    watch = watch_of()
    stream.drifts(watch)
    wanted = round(float(stream.rows.confidences[1_020:].astype(np.float64).mean()) * 1e5)
    assert watch.remember()["version"] == "v2"
    assert watch.remember()["blocks"][0][0] == [wanted]


def test_after_an_encoder_change_the_reference_begins_anew():
    stream = stream_of(
        5, 5_000, moved_at=2_000, embedding=3.0,
        version_from={0: "v1", 2_000: "v2"}, encoder_from={0: "e1", 2_000: "e2"},
    )  # fmt: skip
    watch = watch_of()
    assert stream.drifts(watch) == []
    assert watch.remember()["place"][2] == 800  # made of the new encoder's rows


def test_an_encoder_without_embeddings_is_watched_by_confidence():
    stream = stream_of(6, 4_000, moved_at=2_000, confidence=0.1)
    object.__setattr__(stream.rows, "embeddings", np.zeros((4_000, 0), np.float16))
    assert [drift.statistic for drift in stream.drifts(watch_of())] == ["confidence"]


def test_a_standing_drift_is_told_again_only_after_a_while():
    stream = stream_of(7, 6_000, moved_at=2_000, embedding=1.0)
    once = stream.drifts(watch_of(again_after=10_000))
    often = stream.drifts(watch_of(again_after=1_000))
    assert len(once) == 1
    places = [drift.seen for drift in often]
    assert places == [once[0].seen + turn * 1_000 for turn in range(4)]


def test_a_window_smaller_than_the_reference_leaves_confidence_to_watch():
    stream = stream_of(8, 4_000, moved_at=2_000, confidence=0.1, embedding=1.0)
    object.__setattr__(stream, "window", 300)
    assert {drift.statistic for drift in stream.drifts(watch_of())} == {"confidence"}


def test_blocks_with_few_rows_of_the_main_line_are_passed_over():
    """Nine rows in ten are a canary's from place 2,000 on: what is left is too little for a number."""
    stream = stream_of(9, 3_000, moved_at=2_000, confidence=0.3, embedding=2.0)
    give = stream.newest

    def thinned(seen: int) -> Any:
        def rows(count: int) -> Any:
            all_rows = give(seen)(count)
            return all_rows.where((all_rows.order < 2_000) | (all_rows.order % 10 == 0))

        return rows

    object.__setattr__(stream, "newest", thinned)
    assert stream.drifts(watch_of()) == []


def test_actions_hold_for_a_while_and_end_with_the_version():
    stream = stream_of(10, 6_000, moved_at=2_000, embedding=1.0, version_from={0: "v1", 2_600: "v2"})
    watch = watch_of(raise_budget=2.0, shrink_window=0.5, lasts=300)
    found = stream.drifts(watch, last=2_500)[0].seen
    assert watch.acting(found - 1) == Actions()
    assert watch.acting(found) == watch.acting(found + 299) == Actions(2.0, 0.5)
    assert watch.acting(found + 300) == Actions()
    stream.drifts(watch, first=2_500, last=2_650)
    assert watch.acting(found + 299) == Actions()


def test_without_a_detector_nobody_looks():
    watch = watch_of("none")
    assert watch.until_check(7) == 1 << 30
    assert stream_of(11, 100).drifts(watch) == []


def test_river_missing_is_a_config_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "river.drift", None)
    with pytest.raises(ConfigError, match=r"pip install 'siftstream\[drift\]'"):
        watch_of("adwin")


def test_what_another_program_committed_is_refused():
    with pytest.raises(SchemaError, match="drift's part"):
        watch_of(memory='{"seen": 1}')


def test_the_memory_fits_beside_a_commit():
    """The largest reference, long names, wide numbers."""
    name = "trainer-on-a-host-with-a-long-name-0123456789"
    stream = stream_of(12, 6_000, moved_at=2_000, embedding=60.0, confidence=0.1,
                       version_from={0: name}, encoder_from={0: "f" * 64})  # fmt: skip
    watch = watch_of(block=50, reference=1_600)
    stream.drifts(watch)
    memory = watch.remember()
    assert [len(numbers) for numbers in memory["blocks"][1][:2]] == [32, 16]
    assert len(json.dumps(memory, separators=(",", ":"))) <= 1_500


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 50),
    detector=st.sampled_from(DETECTORS),
    commit=st.integers(0, 2_400),
    ahead=st.integers(0, 600),
    moved_at=st.integers(300, 2_000),
    live_at=st.integers(300, 2_000),
)
def test_a_watch_rebuilt_anywhere_finds_the_same_drifts(
    seed: int, detector: str, commit: int, ahead: int, moved_at: int, live_at: int
):
    """It was killed `ahead` samples after the commit that its memory went with; then it looks again."""
    kind = {"block": 20, "reference": 200, "again_after": 400, "sensitivity": "high"}
    stream = stream_of(seed, 2_500, moved_at=moved_at, embedding=0.4, confidence=0.05,
                       version_from={0: "v1", live_at: "v2"})  # fmt: skip
    object.__setattr__(stream, "window", 260)
    never_killed = watch_of(detector, **kind)
    wanted = stream.drifts(never_killed)

    first = watch_of(detector, **kind)
    before = stream.drifts(first, last=commit)
    memory = json.dumps(first.remember())
    cut = min(2_500, commit + ahead)
    lost = stream.drifts(first, first=commit, last=cut)
    second = watch_of(detector, memory=memory, **kind)
    floor = max(0, commit - 260)
    after = stream.drifts(second, first=floor)  # the log is read again from the floor

    assert told(before) + told(after) == told(wanted)
    assert [drift.key for drift in after[: len(lost)]] == [drift.key for drift in lost]
    assert second.remember() == never_killed.remember()
