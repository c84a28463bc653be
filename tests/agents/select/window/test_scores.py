"""A strategy's choice from the shortlist is its choice from all, and rows are scored once."""

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from siftstream.agents.select.window.scores import KEPT, RowScores
from siftstream.agents.select.window.window import Window
from siftstream.models.head import Head
from siftstream.schemas import Scores
from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, RowStrategy, Selection, get_strategy, strategy_class, strategy_names
from siftstream.strategies import Window as Candidates
from siftstream.strategies.uncertainty.margin import Margin

ROW_WISE = [
    made
    for name in strategy_names()
    if issubclass(strategy_class(name), RowStrategy)
    for made in [get_strategy(name)]
    if isinstance(made, RowStrategy) and RowScores.serves(made)
]


def batch(first: int, size: int, seed: int, levels: int, *, again: bool = False) -> Scores:
    """Samples of few different probabilities, so that many scores tie."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(4), (levels, 2)).astype(np.float32)[rng.integers(0, levels, size)]
    ids = [f"s{n}" for n in range(first, first + size)]
    return Scores(
        ids, ids, np.zeros(size), [{}] * size, probs, rng.normal(size=(size, 3)).astype(np.float16),
        model_version="v1", encoder="e", again=again,
    )  # fmt: skip


def chosen(window: Window, slots: NDArray[np.int64], strategy: RowStrategy, k: int, seed: int) -> Selection:
    view = Candidates(window.probs, window.embeddings, keys_B=window.keys, rows=slots)
    found = strategy.select(view, k, np.random.default_rng(seed))
    return Selection(slots[found.indices], found.scores, found.by)


steps = st.lists(
    st.tuples(st.sampled_from(["append", "again", "rescore", "take"]), st.integers(1, 30), st.integers(0, 9)),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("strategy", ROW_WISE, ids=lambda strategy: strategy.name)
@given(st.integers(1, 40), st.integers(1, 12), steps, st.integers(1, 30), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_shortlist_gives_the_same_answer_as_all_rows(
    strategy: RowStrategy, capacity: int, levels: int, story: list[tuple[str, int, int]], k: int, seed: int
) -> None:
    window, came = Window(capacity), 0
    for offset, (what, size, number) in enumerate([("append", 9, 0), *story]):
        if what == "append":
            window.append(offset, batch(came, size, number, levels))
            came += size
        elif what == "again":
            window.replace(offset, batch(max(0, came - number), size, number, levels, again=True))
        elif what == "rescore":
            weights = np.random.default_rng(number).normal(size=(2, 3, 4)).astype(np.float32)
            window.rescore("v1", "e", Head(weights, np.zeros((2, 4), np.float32)), {"v1"})
        else:
            window.take(window.candidates()[:number])
        slots = window.candidates()
        shortlist = RowScores.of(window, strategy).shortlist(slots, k)
        some, every = chosen(window, shortlist, strategy, k, seed), chosen(window, slots, strategy, k, seed)
        assert some.indices.tolist() == every.indices.tolist()
        assert some.scores.tobytes() == every.scores.tobytes()


def test_most_strategies_that_score_rows_are_served() -> None:
    names = {strategy.name for strategy in ROW_WISE}
    assert names >= {"margin", "entropy", "least_confidence", "ratio", "bald", "expected_gradient_length"}


@dataclass(frozen=True)
class Counting(Margin):
    """Margin, which counts the rows that it was asked for."""

    name: ClassVar[str] = "counting"
    asked: ClassVar[list[int]] = []

    def score_rows(self, window: Candidates) -> NDArray[np.float64]:
        self.asked.append(len(window))
        return super().score_rows(window)


def test_a_row_is_scored_when_it_came_or_changed_and_not_again() -> None:
    Counting.asked.clear()
    window, strategy = Window(100), Counting()
    window.append(0, batch(0, 80, 1, 50))
    for _ in range(2):
        assert len(RowScores.of(window, strategy).shortlist(window.candidates(), 5)) >= 5
    assert Counting.asked == [80]
    window.append(1, batch(80, 7, 2, 50))
    window.replace(2, batch(10, 3, 3, 50, again=True))
    RowScores.of(window, strategy).shortlist(window.candidates(), 5)
    assert Counting.asked == [80, 10]


@dataclass(frozen=True)
class Lame(Margin):
    """Has scores that are no numbers."""

    name: ClassVar[str] = "lame"

    @staticmethod
    def of(probs_BC: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(probs_BC[:, 0] > 0.5, np.nan, 1.0)


def test_what_a_shortlist_cannot_tell_is_left_to_the_strategy() -> None:
    window = Window(100)
    window.append(0, batch(0, 80, 1, 50))
    slots = window.candidates()
    assert len(RowScores.of(window, Lame()).shortlist(slots, 5)) == 80
    balanced = Margin(class_weight="balanced")  # hangs on the labelled
    assert Need.LABELLED in balanced.reads
    assert len(RowScores.of(window, balanced).shortlist(slots, 5)) == 80
    single = Window(10)
    single.append(0, Scores(
        list("abc"), list("abc"), np.zeros(3), [{}] * 3, np.full((3, 1, 2), 0.5, np.float32),
        np.zeros((3, 1), np.float16), model_version="v1", encoder="e",
    ))  # fmt: skip
    bald = get_strategy("bald")
    assert isinstance(bald, RowStrategy)
    with pytest.raises(StrategyError, match="needs members"):
        RowScores.of(single, bald).shortlist(single.candidates(), 1)


def test_a_window_keeps_scores_of_few_strategies() -> None:
    window = Window(10)
    first = RowScores.of(window, Margin())
    assert RowScores.of(window, Margin()) is first
    for number in range(KEPT):
        RowScores.of(window, Margin(temperature=2.0 + number))
    assert RowScores.of(window, Margin()) is not first
