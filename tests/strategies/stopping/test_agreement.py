"""The stopping rules agree with small-text's criteria of the same papers, version by version.

Known differences: small-text's DeltaFScore divides 0 by 0 where no version names a positive and goes on, ours
sees no change; its default threshold is .05, ours .005. Its criteria remember what they were shown, ours look
at a history.
"""

import warnings
from collections.abc import Generator

import numpy as np
import pytest

from siftstream.strategies.stopping import History, get_stopping


@pytest.fixture(autouse=True)
def _quiet() -> Generator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def settling(seed: int, classes: int) -> list[np.ndarray]:
    """Return predictions of 12 versions that change less and less."""
    rng = np.random.default_rng(seed)
    versions = [rng.integers(classes, size=200)]
    for turn in range(11):
        changed = rng.random(200) < 0.6 * 0.6**turn
        versions.append(np.where(changed, rng.integers(classes, size=200), versions[-1]))
    return versions


@pytest.mark.parametrize("agreement", [0.7, 0.9, 0.99])
def test_stabilising_predictions_stop_when_theirs_do(agreement: float) -> None:
    from small_text.stopping_criteria import KappaAverage

    stops = []
    for seed in range(5):
        versions, theirs = settling(seed, 4), KappaAverage(4, kappa=agreement)
        ours = get_stopping("kappa", agreement=agreement)
        for count in range(1, 13):
            verdict = ours.check(History(tuple(versions[:count])))
            assert verdict.stop == theirs.stop(predictions=versions[count - 1])
            if verdict.value is not None:
                assert verdict.value == pytest.approx(np.mean(theirs.kappa_history))
            stops.append(verdict.stop)
    assert True in stops
    assert False in stops


@pytest.mark.parametrize("change", [0.02, 0.05, 0.2])
def test_delta_f_stops_when_theirs_does(change: float) -> None:
    from small_text.stopping_criteria import DeltaFScore

    stops = []
    for seed in range(5):
        versions, theirs = settling(seed, 2), DeltaFScore(2, threshold=change)
        ours = get_stopping("delta_f", change=change)
        for count in range(1, 13):
            verdict = ours.check(History(tuple(versions[:count])))
            assert verdict.stop == theirs.stop(predictions=versions[count - 1])
            if verdict.value is not None:
                assert verdict.value == pytest.approx(np.max(theirs.delta_history))
            stops.append(verdict.stop)
    assert True in stops
    assert False in stops
