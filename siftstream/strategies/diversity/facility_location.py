"""Facility location: the rows to which all others are most alike."""

from typing import ClassVar

import numpy as np
from pydantic.dataclasses import dataclass

from siftstream.strategies.distances import Floats
from siftstream.strategies.diversity.coverage import Coverage, Likeness, unit_rows
from siftstream.strategies.diversity.lazy import Float32
from siftstream.strategies.steady import steady
from siftstream.strategies.window import Window


@dataclass(frozen=True)
class FacilityLocation(Coverage):
    """Raise the mean of (1 + cosine) / 2 between a reference and the nearest chosen or covered row.

    Greedy, with lazy evaluation, which is within 1 - 1/e of the best choice for those references. Time
    O(B R D), where R is `references`, and again after each R / 2 rows; memory at most 256 MiB of
    similarities and a few blocks.

    >>> points = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]], np.float32)
    >>> window = Window(np.ones((3, 1, 1), np.float32), points, covered_ND=points[1:2])
    >>> chosen = FacilityLocation().select(window, 1, np.random.default_rng(0))
    >>> chosen.indices.tolist(), chosen.scores.round(4).tolist()
    ([0], [0.1667])
    """

    name: ClassVar[str] = "facility_location"
    when: ClassVar[str] = "For rows that stand for the whole window, outliers left out; not for rare classes."
    source: ClassVar[str] = (
        "Wei, Iyer and Bilmes, Submodularity in data subset selection and active learning, ICML 2015;"
        " Nemhauser, Wolsey and Fisher, Mathematical Programming 1978; Minoux 1978 (lazy greedy)"
    )

    def likeness(self, window: Window, rng: np.random.Generator) -> Likeness:
        """Return the cosine, moved to 0 to 1."""
        del window, rng
        return _Cosine()


class _Cosine(Likeness):
    def between(self, a_ID: Floats, b_JD: Floats) -> Float32:
        cosine_IJ = unit_rows(a_ID) @ unit_rows(b_JD).T
        return steady(np.clip((1.0 + cosine_IJ) / 2.0, 0.0, 1.0))
