"""The trial on speakers and the table of delays, on made-up data."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.drift import delays, false_alarms, interval
from benchmarks.speakers import Actions, Trial, trial
from siftstream.agents.select.drift import DriftSettings

pytest.importorskip("river")
HIGH = DriftSettings(detector="page-hinkley", sensitivity="high")


def test_a_large_step_is_found_within_two_blocks_and_none_in_a_short_still_stream():
    share, delay = delays(HIGH, "embedding", 3.0, seeds=3)
    assert share == 1.0
    assert delay <= 100
    assert false_alarms(HIGH, seeds=2, samples=1_000) == {"embedding": 0.0, "confidence": 0.0}


def test_a_raised_budget_costs_labels_and_the_control_spends_as_many(tmp_path: Path):
    features, speakers_N = speakers(tmp_path)
    plain = trial(Trial("random", 0, Actions()), features, speakers_N)
    raised = trial(Trial("random", 0, Actions(raise_budget=2.0)), features, speakers_N)
    control = trial(Trial("random", 0, Actions(), raised.labels), features, speakers_N)
    assert plain.drifts >= 1
    assert plain.labels < raised.labels == control.labels


def test_an_interval_holds_the_mean():
    assert interval(np.array([0.5, 0.5])) == "0.500 (0.500 to 0.500)"


def speakers(folder: Path) -> tuple[Path, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """Write features of two speakers who are far apart; return the file and who spoke."""
    rng = np.random.default_rng(0)
    speakers_N = np.repeat(np.arange(2), 500)
    classes_N = rng.integers(3, size=1_000)
    features_ND = rng.standard_normal((1_000, 8)) + 4.0 * speakers_N[:, None] + np.eye(3, 8)[classes_N] * 3.0
    path = folder / "features.npz"
    np.savez(path, features_ND=features_ND.astype(np.float32), classes_N=classes_N)
    return path, speakers_N
