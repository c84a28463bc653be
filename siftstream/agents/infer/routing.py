"""Which line of models scores which sample, and which lines only listen."""

from collections.abc import Callable, Sequence
from logging import getLogger
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.infer.deployment import Deployment
from siftstream.agents.infer.settings import LineSettings
from siftstream.schemas import share_of

log = getLogger(__name__)
Route: TypeAlias = tuple[Deployment, NDArray[np.intp]]  # a line's model, and the rows that it scores


class Routes(Protocol):
    """Anything that says which line scores which of these samples; no row twice, none left out."""

    def __call__(self, sample_ids: Sequence[str]) -> list[Route]:
        """Return the rows of each line, in order."""
        ...


class Routing:
    """The main line and its canaries: each canary takes its share of the samples by hash, the rest is main's.

    Shares are taken in the order of the list: each of what the ones before it left. A canary without a live
    version takes nothing.
    """

    def __init__(
        self,
        main: Deployment,
        canaries: Sequence[tuple[LineSettings, Deployment]] = (),
        count: Callable[[str, float], None] = lambda _, __: None,
    ) -> None:
        """Args: the pipeline's own line; the others with their settings, in the order of the settings; what
        counts samples by line, where there are canaries.
        """
        self._main, self._count = main, count
        self._canaries: list[tuple[Deployment, float]] = []
        left = 1.0
        for settings, deployment in canaries:
            # Of what is left, so that each gets its share of all: the hashes of two lines are independent.
            self._canaries.append((deployment, settings.share / left if left > settings.share else 1.0))
            left -= settings.share
        self._untold = {deployment.line for deployment, _ in self._canaries}

    def __call__(self, sample_ids: Sequence[str]) -> list[Route]:
        """Return the rows of each line at this moment; a line with none is left out."""
        rest = np.arange(len(sample_ids))
        if not self._canaries:
            return [(self._main, rest)]
        routes: list[Route] = []
        not_taken: list[NDArray[np.intp]] = []
        for canary, share in self._canaries:
            taken = taken_by(canary.line, share, [sample_ids[row] for row in rest.tolist()])
            if canary.model is None:
                self._tell_once(canary.line)
                not_taken.append(rest[taken])
            else:
                routes.append((canary, rest[taken]))
            rest = rest[~taken]
        mine = np.sort(np.concatenate([rest, *not_taken]))
        routes = [(line, which) for line, which in [(self._main, mine), *routes] if len(which)]
        for line, which in routes:
            self._count(line.line, len(which))
        return routes

    def _tell_once(self, line: str) -> None:
        if line in self._untold:
            self._untold.discard(line)
            log.info("canary %s has no live version yet: the main line scores its share", line)


def taken_by(line: str, share: float, sample_ids: Sequence[str]) -> NDArray[np.bool_]:
    """Tell which samples are in a line's share, the same ones for ever [B].

    >>> taken_by("next", 1.0, ["a", "b"]).tolist()
    [True, True]
    """
    if share >= 1.0:
        return np.ones(len(sample_ids), np.bool_)
    return np.array([share_of(name, line) < share for name in sample_ids], np.bool_)
