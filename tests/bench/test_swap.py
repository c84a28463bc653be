"""What is said of a swap: gaps in milliseconds and batches, and who was lost or scored twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from siftstream.bench.swap import SETTLE_S, SWAPS, Seen, figures, longest, table
from siftstream.schemas import Scores

EVERY_S = 0.1  # between two micro-batches
SPAN = 10.0  # seconds from one announcement to the next


def scored(version: str, *names: str) -> Scores:
    count = len(names)
    return Scores(
        sample_ids=list(names), uris=["near:x"] * count, event_times=np.zeros(count), metadata=[{}] * count,
        probs=np.full((count, 1, 2), 0.5, np.float32), embeddings=np.zeros((count, 2), np.float16),
        model_version=version, encoder="0" * 64,
    )  # fmt: skip


def run(*, pause: float = EVERY_S) -> tuple[Seen, list[float], float]:
    """Return an even stream in which a swap takes effect a second after it was announced, with a pause."""
    seen, sent = Seen(), [SETTLE_S + SPAN * number for number in range(len(SWAPS))]
    end, now, number = sent[-1] + SPAN, 0.0, 0
    while now < end:
        live = sum(at + 1.0 <= now for at in sent)
        version = f"swap-{live}" if live else "before"
        if version not in seen.first and live:
            now += pause - EVERY_S
        seen.note(scored(version, f"{number}-a", f"{number}-b"), now)
        now, number = now + EVERY_S, number + 1
    return seen, sent, end


def summed(seen: Seen, sent: list[float], end: float, pushed: int | None = None) -> dict[str, Any]:
    return figures(seen, sent, end, batch_s=0.2, pushed=len(seen.counts) if pushed is None else pushed)


def test_an_even_stream_has_no_longer_gap_around_a_swap() -> None:
    found = summed(*run())
    assert {one["gap_ms"] for one in found["swaps"]} == {100.0}
    assert {one["batches"] for one in found["swaps"]} == {0.5}
    assert (found["lost"], found["repeated"], found["met"]) == (0, 0, True)


def test_a_pause_at_a_swap_is_its_gap_and_no_other() -> None:
    found = summed(*run(pause=0.5))
    assert {one["batches"] for one in found["swaps"]} == {2.5}
    assert (found["undisturbed_ms"], found["met"]) == (100.0, False)


def test_lost_and_repeated_samples_are_counted() -> None:
    seen, sent, end = run()
    seen.note(scored("swap-6", "0-a", "new"), end)
    found = summed(seen, sent, end, pushed=len(seen.counts) + 3)
    assert (found["lost"], found["repeated"]) == (3, 1)


@pytest.mark.parametrize(
    ("begin", "end", "gap"), [(0.0, 9.0, 4.0), (0.0, 1.0, 1.0), (2.5, 3.0, 4.0), (7.0, 9.0, 2.0)]
)
def test_the_longest_gap_is_the_one_that_touches_the_span(begin: float, end: float, gap: float) -> None:
    assert longest([0.0, 1.0, 2.0, 6.0], begin, end) == gap


def test_every_swap_is_told_in_a_line_with_its_kind() -> None:
    printed = table(summed(*run()))
    assert [line.split("  ")[0].strip() for line in printed[: len(SWAPS)]] == list(SWAPS)
    assert "0 lost, 0 scored twice" in printed[-1]
