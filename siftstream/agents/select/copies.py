"""Rows copied out of a window, as an event that leaves needs them: the window goes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.select.window.window import Window


@dataclass(frozen=True, eq=False)
class Copies:
    """What is told of rows, and the place at which they were copied."""

    ids: Sequence[str]
    uris: Sequence[str]
    metadata: Sequence[dict[str, str]]
    probs_BC: NDArray[np.float32]  # means over the members
    versions: Sequence[str]
    lines: Sequence[str]
    position: int
    seen: int
    event_time: float

    @classmethod
    def of(cls, window: Window, slots: Sequence[int]) -> Self:
        """Copy the rows in these slots."""
        at = np.array(slots, np.int64)
        probs_BC = window.probs[at].mean(axis=1) if slots else np.zeros((0, 0), np.float32)
        return cls(
            window.ids_of(at), window.uris_of(at), window.metadatas_of(at), probs_BC,
            [window.names[code] for code in window.version_codes[at].tolist()],
            [window.names[code] for code in window.line_codes[at].tolist()],
            window.head, window.seen, window.watermark,
        )  # fmt: skip
