"""Token strategies by hand, with samples of several lengths and of none."""

import math

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.beside import Tokens

NAN = [math.nan, math.nan]  # what stands behind a sample's end must not count
TOKENS = [
    [[0.9, 0.1], [0.6, 0.4], [0.55, 0.45]],  # margins .8, .2, .1
    [[0.7, 0.3], NAN, NAN],  # margin .4
    [NAN, NAN, NAN],
    [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]],  # margins 1
    [[0.6, 0.4], [1.0, 0.0], [0.6, 0.4]],  # margins .2, 1, .2
]
LENGTHS = [3, 1, 0, 3, 3]


def h(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def scores_of(name: str, **parameters: object) -> list[float]:
    tokens = Tokens(np.array(TOKENS), np.array(LENGTHS))
    window = Window(np.zeros((5, 1, 0)), np.zeros((5, 0)), tokens=tokens)
    chosen = get_strategy(name, **parameters).select(window, 5, np.random.default_rng(0))
    scores_B = np.empty(5)
    scores_B[chosen.indices] = chosen.scores
    return scores_B.tolist()


@pytest.mark.parametrize(
    ("name", "parameters", "scores"),
    [
        ("token_margin", {"reduce": "min"}, [0.9, 0.6, -1.0, 0.0, 0.8]),
        ("token_margin", {"reduce": "mean"}, [1.9 / 3, 0.6, -1.0, 0.0, 1.6 / 3]),
        ("token_margin", {"reduce": "sum"}, [1.9, 0.6, -1.0, 0.0, 1.6]),
        ("token_margin", {"reduce": "longest"}, [2.0, 1.0, -1.0, 0.0, 1.0]),
        ("token_margin", {"reduce": "longest", "threshold": 0.3}, [2.0, 0.0, -1.0, 0.0, 1.0]),
        ("token_entropy", {"reduce": "sum"}, [h(0.9) + h(0.6) + h(0.55), h(0.7), -1.0, 0.0, 2 * h(0.6)]),
        ("token_entropy", {"reduce": "max"}, [h(0.55), h(0.7), -1.0, 0.0, h(0.6)]),
        ("token_least_confidence", {}, [0.95 / 3, 0.3, -1.0, 0.0, 0.8 / 3]),
        ("token_least_confidence", {"reduce": "longest", "threshold": 0.35}, [2.0, 0.0, -1.0, 0.0, 1.0]),
        ("sequence_confidence", {}, [-math.log(0.297), -math.log(0.7), -1.0, 0.0, -math.log(0.36)]),
        (
            "sequence_confidence",
            {"per_token": True},
            [-math.log(0.297) / 3, -math.log(0.7), -1.0, 0.0, -math.log(0.36) / 3],
        ),
    ],
)
def test_token_scores_are_those_of_the_formula(
    name: str, parameters: dict[str, object], scores: list[float]
) -> None:
    np.testing.assert_allclose(scores_of(name, **parameters), scores, atol=1e-9)


def test_a_long_sequence_of_doubt_is_told_from_a_longer_one() -> None:
    # 1 - .5^2000 and 1 - .5^3000 are both 1
    tokens = Tokens(np.full((2, 3000, 2), 0.5), np.array([2000, 3000]))
    window = Window(np.zeros((2, 1, 0)), np.zeros((2, 0)), tokens=tokens)
    chosen = get_strategy("sequence_confidence").select(window, 2, np.random.default_rng(0))
    assert chosen.indices.tolist() == [1, 0]
    np.testing.assert_allclose(chosen.scores, [3000 * math.log(2), 2000 * math.log(2)])


def test_windows_whose_samples_have_no_tokens_are_answered() -> None:
    window = Window(
        np.zeros((4, 1, 0)), np.zeros((4, 0)), tokens=Tokens(np.zeros((4, 0, 3)), np.zeros(4, np.int64))
    )
    for name in ("token_margin", "token_entropy", "token_least_confidence", "sequence_confidence"):
        assert get_strategy(name).select(window, 4, np.random.default_rng(0)).scores.tolist() == [-1.0] * 4
