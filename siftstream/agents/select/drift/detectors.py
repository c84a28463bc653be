"""river's detectors, made anew for each look: reference blocks first, then the newest ones.

A detector reads block numbers standardised by the reference's mean and deviation. What `sensitivity` means
for each was set by measured false alarms (benchmarks/drift.py), since none of their bounds holds for a few
dozen standardised means.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas.errors import ConfigError

RECENT: Final = 16  # newest blocks that a look goes by: what is longer ago has passed
KSWIN_BLOCKS: Final = 8  # newest blocks that KSWIN holds against as many of the reference
LEVELS: Final[dict[str, dict[str, float]]] = {
    "adwin": {"low": 0.1, "medium": 0.3, "high": 0.6},  # delta
    "page-hinkley": {"low": 10.0, "medium": 8.0, "high": 6.0},  # threshold, in deviations
    # alpha; between 8 and 8 blocks the test knows few p-values: .00016, .0025 and .019 are the least
    "kswin": {"low": 0.0002, "medium": 0.003, "high": 0.02},
}
ALLOWANCE: Final = 0.5  # deviations a block that Page-Hinkley lets pass
Values: TypeAlias = NDArray[np.float64]
Detect: TypeAlias = Callable[[Values, Values], bool]


def detector(name: str, sensitivity: str) -> Detect:
    """Return what tells whether newest values [n] differ from reference values [R], both standardised.

    Raises:
        ConfigError: river is not installed.
    """
    river = _river()
    level = LEVELS[name][sensitivity]
    if name == "adwin":
        return lambda before, after: _fed(
            river.ADWIN(delta=level, clock=1, min_window_length=2, grace_period=len(before)), before, after
        )
    if name == "page-hinkley":
        return lambda before, after: _fed(
            river.PageHinkley(len(before) + 1, ALLOWANCE, level, alpha=1.0), before, after
        )
    return lambda before, after: _compared(river.KSWIN, level, before, after)


def standardised(reference: Sequence[int], newest: Sequence[int], least: float) -> tuple[Values, Values]:
    """Return both in deviations of the reference's numbers (`least` or more) from their mean.

    >>> standardised([1, 3], [4], 0.1)[1].round(3).tolist()
    [1.414]
    """
    before, after = np.array(reference, np.float64), np.array(newest, np.float64)
    mean, deviation = before.mean(), max(float(before.std(ddof=1)), least)
    return (before - mean) / deviation, (after - mean) / deviation


def change(after: Values) -> int:
    """Return from which of the newest standardised values on their mean is furthest from the reference's.

    The likeliest place of one step from a known level 0: where |sum of the rest| / sqrt(length) peaks.

    >>> change(np.array([0.1, -0.2, 3.0, 2.5]))
    2
    """
    sums = np.cumsum(after[::-1])[::-1]
    return int(np.argmax(np.abs(sums) / np.sqrt(np.arange(len(after), 0, -1))))


def _fed(made: Any, before: Values, after: Values) -> bool:
    for value in before.tolist():
        made.update(value)
    for value in after.tolist():
        made.update(value)
        if made.drift_detected:
            return True
    return False


def _compared(kind: Any, alpha: float, before: Values, after: Values) -> bool:
    """One test of the newest blocks; those between were tested when they were the newest."""
    if len(after) < KSWIN_BLOCKS:
        return False
    values = [*before.tolist(), *after[-KSWIN_BLOCKS:].tolist()]
    made = kind(alpha=alpha, window_size=len(values), stat_size=KSWIN_BLOCKS, seed=0, window=values[:-1])
    made.update(values[-1])
    return bool(made.drift_detected)


def _river() -> Any:
    try:
        return import_module("river.drift")
    except ImportError as error:
        raise ConfigError(
            f"select.drift.detector needs the package river; pip install 'siftstream[drift]' ({error})"
        ) from error
