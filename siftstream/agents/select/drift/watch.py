"""The watch over one partition: at each block's end, is the stream what the live model was trained on?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.drift.detectors import RECENT, Detect, change, detector, standardised
from siftstream.agents.select.drift.past import Numbers, Past
from siftstream.agents.select.drift.rows import Newest, Rows
from siftstream.agents.select.drift.settings import DriftSettings
from siftstream.agents.select.drift.statistics import Place, confidence_of, shown
from siftstream.schemas import Drift

# Block numbers are taken to deviate by at least this: 0.001 of confidence, 0.5 of the shift's logarithm.
LEAST: Final = {"confidence": 100.0, "embedding": 500.0}


@dataclass(frozen=True)
class Actions:
    """What holds while a drift acts: a factor on the size of rounds, a share of the newest rows or none."""

    budget_factor: float = 1.0
    window_share: float | None = None


NOTHING: Final = Actions()


class DriftWatch:
    """Finds drift as a function of the log alone: numbers of blocks, folded at exact places.

    A look computes the newest block's two numbers, holds those of the last blocks against the reference's
    with a detector made anew, and keeps the numbers. The reference of a version is, for embeddings, the last
    blocks of its encoder when its first row came (what it was trained on; where too few are there, until they
    are); for confidence its own first blocks, since what older versions said is not comparable.

    Time a look: O(block), and O(reference) once a version. Memory: `remember()`.
    """

    def __init__(
        self, settings: DriftSettings, partition: int, memory: str | Mapping[str, Any] | None = None
    ) -> None:
        """Args: settings; the partition's number; what `remember` gave in an earlier life.

        Raises:
            ConfigError: river is not installed.
            SchemaError: the memory is not ours.
        """
        self._settings = settings
        self._partition = partition
        self._detect: Detect | None = None
        self._past = Past()
        if settings.detector != "none":
            self._detect = detector(settings.detector, settings.sensitivity)
            self._past = Past.read(memory)

    def until_check(self, seen: int) -> int:
        """Return the samples until the next look; a look is due where it was 0 before they came.

        >>> watch = DriftWatch(DriftSettings(detector="page-hinkley", block=50), 0)
        >>> watch.until_check(120), watch.until_check(150)
        (30, 50)
        """
        if self._detect is None:
            return 1 << 30
        return self._settings.block - seen % self._settings.block

    def look(self, seen: int, position: int, newest: Newest) -> list[Drift]:
        """Return the drifts found at this place; nothing where none is due or a look was had before.

        Args:
            seen: Distinct samples of the partition so far.
            position: Offset of the last record in the window.
            newest: Gives the main line's rows with order >= seen - count, oldest first.
        """
        if self._detect is None or seen <= self._past.seen or seen % self._settings.block:
            return []
        block = newest(self._settings.block)
        version = _most(block.versions)
        if version is None:
            self._past.seen = seen
            return []
        mine = block.where(_are(block.versions, version))
        if version != self._past.version:  # what was known of the one before is not comparable
            self._past = Past(version=version, encoder=_most(mine.encoders) or "")
        self._past.seen = seen
        if self._past.place is None:
            self._refer(seen, newest)
        self._take_in(mine, block.where(_are(block.encoders, self._past.encoder)))
        return self._found(seen, position)

    def acting(self, seen: int) -> Actions:
        """Return what holds at a place: from a drift on for `lasts` samples, or until another version."""
        told = self._past.told
        if told < 0 or not told <= seen < told + self._settings.lasts:
            return NOTHING
        return Actions(self._settings.raise_budget, self._settings.shrink_window)

    def remember(self) -> dict[str, Any]:
        """Return what a later life needs beside the window; at most 1,500 characters of compact JSON."""
        return self._past.plain()

    def _take_in(self, scored: Rows, embedded: Rows) -> None:
        """Add the newest block's numbers, of rows that the version scored and of rows of its encoder."""
        past, blocks, least = self._past, self._settings.reference_blocks, self._settings.block / 2
        if len(scored) >= least:
            past.confidence.push(confidence_of(scored.confidences), blocks, RECENT)
        if past.place is not None and len(embedded) >= least:
            past.embedding.push(past.place.shift_of(embedded.embeddings, within=False), blocks, RECENT)

    def _refer(self, seen: int, newest: Newest) -> None:
        """Make the embeddings' reference of the blocks before the newest, if they are of the encoder.

        Where the encoder stayed this is the window that the version began with. A block counts if it is at
        least half full.
        """
        size, blocks = self._settings.block, self._settings.reference_blocks
        rows = newest(size * (blocks + 1))
        parts = [part.where(_are(part.encoders, self._past.encoder)) for part in rows.blocks(size, seen)[:-1]]
        if not rows.embeddings.shape[1] or len(parts) < blocks or any(2 * len(part) < size for part in parts):
            return
        place = Place.of(np.concatenate([part.embeddings for part in parts]), self._settings.directions)
        numbers = [place.shift_of(part.embeddings, within=True) for part in parts]
        self._past.place = place
        self._past.embedding.reference = [number for number in numbers if number is not None]

    def _found(self, seen: int, position: int) -> list[Drift]:
        """Hold each statistic against its reference; tell of one that moved, but not at every block again."""
        found: list[Drift] = []
        for statistic, numbers in self._past.statistics.items():
            told_lately = numbers.told >= 0 and seen < numbers.told + self._settings.again_after
            after = None if told_lately else self._moved(statistic, numbers)
            if after is not None:
                numbers.told = self._past.told = seen
                before = sum(numbers.reference) / len(numbers.reference)
                found.append(
                    Drift(
                        partition=self._partition, seen=seen, position=position, statistic=statistic,
                        detector=self._settings.detector, model_version=self._past.version,
                        before=shown(statistic, before), after=shown(statistic, after),
                    )
                )  # fmt: skip
        return found

    def _moved(self, statistic: str, numbers: Numbers) -> float | None:
        """Return the mean number since the change, or none where there is no change."""
        if self._detect is None or len(numbers.reference) < self._settings.reference_blocks:
            return None
        before, after = standardised(numbers.reference, numbers.newest, LEAST[statistic])
        if not len(after) or not self._detect(before, after):
            return None
        since = numbers.newest[change(after) :]
        return sum(since) / len(since)


def _most(names: Sequence[str]) -> str | None:
    """Return the name that most rows have; of several, the one that came last."""
    return max(Counter(reversed(names)).items(), key=lambda item: item[1])[0] if names else None


def _are(names: Sequence[str], wanted: str) -> NDArray[np.bool_]:
    return np.fromiter((name == wanted for name in names), np.bool_, len(names))
