"""The arithmetic of what a strategy saves, on made-up curves, and how it is shown."""

import numpy as np

from siftstream.experiment.result import shown
from siftstream.experiment.running import Rules
from siftstream.experiment.savings import Curves, ahead

COUNTS = np.array([20, 40, 60, 80])
RANDOM = Curves(COUNTS, np.array([[0.50, 0.60, 0.70, 0.80], [0.52, 0.62, 0.72, 0.82]]))
OURS = Curves(COUNTS[:2], np.array([[0.50, 0.81], [0.52, 0.84]]))


def test_ours_is_compared_with_twice_the_labels_seed_by_seed() -> None:
    # By hand: seed 0: .81 - .80 = .01, seed 1: .84 - .82 = .02; draws of two seeds lie between.
    found = ahead(OURS, RANDOM, 40, 2)
    assert round(found.value, 6) == 0.015
    assert (round(found.low, 6), round(found.high, 6)) == (0.01, 0.02)


def test_the_tables_say_accuracy_ratio_and_twice() -> None:
    text = shown("made up", {"random": RANDOM, "margin": OURS}, Rules(20, 20, 40, 2))
    assert "| random | 51.0 (50.0 to 52.0) | 61.0 (60.0 to 62.0) |" in text
    assert "| margin | 51.0 (50.0 to 52.0) | 82.5 (81.0 to 84.0), +21.5 (21.0 to 22.0) |" in text
    assert "| margin | 1.00 | ≤.50 |" in text
    assert "| margin | -10.0 | +1.5 (1.0 to 2.0) |" in text
    assert "20 against 40 | 40 against 80" in text
