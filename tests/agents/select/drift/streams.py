"""A made-up partition: rows by place, and the newest of them as the stage would give them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from siftstream.agents.select.drift import DriftSettings, DriftWatch, Rows
from siftstream.schemas import Drift

DIM = 16


@dataclass(frozen=True, eq=False)
class Stream:
    """All rows of a partition in the order of the log; the window keeps the last `window`."""

    rows: Rows
    window: int = 2_000

    def newest(self, seen: int) -> Callable[[int], Rows]:
        """Give the window's newest rows at a place."""

        def give(count: int) -> Rows:
            span = slice(max(0, seen - min(count, self.window)), seen)
            rows = self.rows
            return Rows(
                rows.order[span], rows.confidences[span], rows.embeddings[span],
                rows.versions[span], rows.encoders[span],
            )  # fmt: skip

        return give

    def drifts(self, watch: DriftWatch, first: int = 0, last: int | None = None) -> list[Drift]:
        """Let a watch look at each place that it asks for, after `first` and up to `last`."""
        found: list[Drift] = []
        seen, end = first, len(self.rows) if last is None else last
        while (seen := seen + watch.until_check(seen)) <= end:
            found += watch.look(seen, position=seen // 10, newest=self.newest(seen))
        return found


def stream_of(
    seed: int,
    samples: int,
    *,
    moved_at: int | None = None,
    embedding: float = 0.0,
    confidence: float = 0.0,
    version_from: dict[int, str] | None = None,
    encoder_from: dict[int, str] | None = None,
) -> Stream:
    """Draw a stream; from `moved_at` on embeddings lie so far off and confidence falls by so much.

    Embeddings are standard normal in 16 dimensions, confidences are 1 - Beta(1, 4) / 2: 0.9 +- 0.08.
    """
    rng = np.random.default_rng(seed)
    emb = rng.standard_normal((samples, DIM))
    sure = 1.0 - 0.5 * rng.beta(1.0, 4.0, samples)
    if moved_at is not None:
        emb[moved_at:] += embedding
        sure[moved_at:] -= confidence
    return Stream(
        Rows(
            np.arange(samples), sure.astype(np.float32), emb.astype(np.float16),
            _names(samples, version_from or {0: "v1"}), _names(samples, encoder_from or {0: "e1"}),
        )
    )  # fmt: skip


def watch_of(detector: str = "page-hinkley", memory: object = None, **settings: object) -> DriftWatch:
    """Return a watch over partition 3."""
    return DriftWatch(DriftSettings.model_validate({"detector": detector, **settings}), 3, memory)  # type: ignore[arg-type]


def _names(samples: int, starts: dict[int, str]) -> list[str]:
    names: list[str] = []
    for start, name in sorted(starts.items()):
        names[start:] = [name] * (samples - start)
    return names
