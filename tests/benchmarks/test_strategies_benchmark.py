"""The strategies' benchmark: a tiny run of it, and what it says of those that go over their limits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.strategies import main
from benchmarks.zoo.growth import Grown, grown
from benchmarks.zoo.made_up import Shape, read, write
from benchmarks.zoo.runs import Limits, Runs, once, windows

TINY = ("--size", "200", "--k", "20", "--dim", "8", "--members", "2", "--rounds", "1", "--limit", "60")


@pytest.mark.timeout(300)  # theirs imports torch: eight seconds, many more on a busy machine
def test_a_tiny_run_measures_ours_and_theirs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = main(["--strategies", "entropy", *TINY, "--peers", "--out", str(tmp_path)])
    assert [one["name"] for one in figures["alone"]] == ["entropy"]
    assert all(0.0 < one["seconds"][0] < 60.0 and not one["ended"] for one in figures["alone"])
    (duel,) = figures["beside"]
    assert duel["ratio"][1] == pytest.approx(duel["of_theirs"]["seconds"][0] / duel["ours"]["seconds"][0])
    assert json.loads((tmp_path / "strategies.json").read_text())["alone"] == figures["alone"]
    assert "UncertaintySampling" in capsys.readouterr().out


def test_growth_runs_each_size_with_a_fixed_and_a_growing_k() -> None:
    limits, told = Limits(60.0, 1 << 30), list[str]()
    with windows() as kept:
        found = grown(["margin"], Shape(200, 20, members=2, dim=8), [100], kept, limits, 1, told.append)
    assert [(one.growing, runs.shape.size, runs.shape.k) for one in found for runs in one.at] == [
        (False, 100, 12),
        (True, 100, 25),
    ]
    assert all(len(runs.seconds) == 1 for one in found for runs in one.at)
    assert told == ["growth: margin, 100 samples"] * 2


def test_what_goes_over_its_limits_or_refuses_is_said_so() -> None:
    shape = Shape(20_000, 40, members=4, dim=8)
    ended: list[str] = []
    with windows() as kept:
        for name, limits in (
            ("k_center", Limits(1e-4, 1 << 30)),
            ("margin", Limits(60.0, 1 << 10)),
            ("no_such_thing", Limits(60.0, 1 << 30)),
        ):
            runs = Runs(name, shape)
            once(runs, kept, limits)
            once(runs, kept, limits)  # one that ended is not tried again
            ended.append(runs.ended)
            assert runs.seconds == []
    assert ended[0] == "over 0.0001 s"
    assert ended[1] == "over 9.53674e-07 GiB"
    assert "unknown" in ended[2]


def growing_by(exponent: float, *, growing: bool, noise: float = 1.0) -> Grown:
    sizes = (100, 200, 400)
    times = [noise ** (-1) ** at * (size / 100) ** exponent for at, size in enumerate(sizes)]
    at = tuple(Runs("any", Shape(size, 10), seconds=[t, 9 * t]) for size, t in zip(sizes, times, strict=True))
    return Grown("any", growing, at)


def test_the_exponent_is_that_of_the_least_times() -> None:
    assert growing_by(1.0, growing=False).exponent == pytest.approx(1.0)
    assert growing_by(1.0, growing=False).verdict == "within"
    assert growing_by(1.5, growing=False).verdict == "FASTER"
    assert growing_by(2.0, growing=True).verdict == "within"
    assert growing_by(3.0, growing=True).verdict == "FASTER"


def test_two_sizes_are_too_few_for_an_exponent() -> None:
    whole = growing_by(1.0, growing=False)
    few = Grown("any", False, whole.at[:2])
    assert few.exponent is None
    assert few.verdict == "too few sizes ended"


def test_the_window_is_the_same_from_the_same_seed_and_has_what_strategies_read(tmp_path: Path) -> None:
    for name in ("one.npz", "other.npz"):
        write(tmp_path / name, Shape(300, 1, dim=128, members=3))
    one, other = read(tmp_path / "one.npz"), read(tmp_path / "other.npz")
    assert (one.emb_BD == other.emb_BD).all()
    assert one.emb_BD.dtype == np.float16
    assert one.probs_BMC.shape == (300, 3, 10)
    np.testing.assert_allclose(one.probs_BMC.sum(axis=2), 1.0, rtol=1e-5)
    assert one.labelled is not None
    assert one.head is not None
    assert one.tokens is not None
    right = (one.labelled.probs_LC.argmax(axis=1) == one.labelled.classes_L).mean()
    assert 0.7 < right < 0.97
    assert one.head.weights_MDC.shape == (3, 128, 10)
