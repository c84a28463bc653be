"""What every registered strategy, a plug-in too, must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, Strategy, Window, get_strategy, strategy_names

pytestmark = pytest.mark.parametrize("name", strategy_names())
EXAMPLES = settings(max_examples=30, deadline=None)
BY_DRAW = {"random"}  # the answer depends on the draw, not on the row: permuting rows need not permute it


def make_window(seed: int, size: int, *, covered: int = 0, dtype: type = np.float32) -> Window:
    rng = np.random.default_rng(seed)
    members, classes, dim = (int(n) for n in rng.integers((1, 2, 1), (4, 8, 9)))
    probs = rng.dirichlet(np.ones(classes), (size, members)).astype(np.float32)
    return Window(
        probs, rng.normal(size=(size, dim)).astype(dtype), rng.normal(size=(covered, dim)).astype(dtype)
    )


def run(name: str, window: Window, k: int, seed: int = 7) -> tuple[list[int], list[float]]:
    chosen = get_strategy(name).select(window, k, np.random.default_rng(seed))
    assert chosen.indices.dtype == np.int64
    assert chosen.scores.dtype == np.float64
    return chosen.indices.tolist(), chosen.scores.tolist()


windows = st.builds(
    make_window,
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 60),
    covered=st.integers(0, 5),
    dtype=st.sampled_from([np.float32, np.float16]),
)


@EXAMPLES
@given(window=windows, k=st.integers(0, 70), seed=st.integers(0, 9))
def test_k_distinct_rows_in_range_with_finite_descending_scores(
    name: str, window: Window, k: int, seed: int
) -> None:
    indices, scores = run(name, window, k, seed)
    assert len(indices) == len(scores) == len(set(indices)) == min(k, len(window))
    assert all(0 <= index < len(window) for index in indices)
    assert np.isfinite(scores).all()
    assert scores == sorted(scores, reverse=True)


@EXAMPLES
@given(window=windows, k=st.integers(0, 70), seed=st.integers(0, 9))
def test_the_same_window_k_and_seed_give_the_same_answer(
    name: str, window: Window, k: int, seed: int
) -> None:
    assert run(name, window, k, seed) == run(name, window, k, seed)


@EXAMPLES
@given(window=windows, k=st.integers(1, 60))
def test_a_smaller_k_is_the_head_of_a_larger_one(name: str, window: Window, k: int) -> None:
    k = min(k, len(window))
    most, _ = run(name, window, len(window))
    assert run(name, window, k)[0] == most[:k]


@EXAMPLES
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 40), covered=st.integers(0, 3))
def test_permuting_the_rows_permutes_the_answer(name: str, seed: int, size: int, covered: int) -> None:
    if name in BY_DRAW:
        pytest.skip("chooses by draw")
    window = make_window(seed, size, covered=covered)
    order = np.random.default_rng(seed).permutation(size)
    moved = Window(window.probs_BMC[order], window.emb_BD[order], window.covered_ND)
    indices, scores = run(name, window, size)
    moved_indices, moved_scores = run(name, moved, size)
    back = order[moved_indices].tolist()
    np.testing.assert_allclose(moved_scores, scores, rtol=1e-5, atol=1e-6)
    if (np.diff(scores[1:]) < -1e-6).all():  # else rows tie, and ties go by row
        assert back[2:] == indices[2:]
        assert sorted(back[:2]) == sorted(indices[:2])


def test_inputs_are_never_written_to(name: str) -> None:
    source = make_window(0, 30, covered=3)
    arrays = [np.array(a) for a in (source.probs_BMC, source.emb_BD, source.covered_ND)]
    before = [array.copy() for array in arrays]
    run(name, Window(*arrays), 10)
    for array, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, was)
        assert array.flags.writeable


def test_nothing_asked_or_nothing_there_gives_nothing(name: str) -> None:
    assert run(name, make_window(0, 5), 0) == ([], [])
    assert run(name, Window(np.empty((0, 1, 2), np.float32), np.empty((0, 4), np.float32)), 3) == ([], [])


def test_a_negative_k_is_refused(name: str) -> None:
    with pytest.raises(StrategyError, match="-1"):
        run(name, make_window(0, 5), -1)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_ties_and_degenerate_windows_answer_in_row_order(name: str, value: float) -> None:
    window = Window(
        np.full((6, 2, 2), value, np.float32), np.full((6, 3), 7, np.float16), np.full((2, 3), 7, np.float16)
    )
    indices, scores = run(name, window, 10)
    assert sorted(indices) == list(range(6))
    assert np.isfinite(scores).all()
    if name not in BY_DRAW:
        assert indices == list(range(6))
        assert len(set(scores)) == 1


def test_one_class_and_one_row_are_answered(name: str) -> None:
    window = Window(np.ones((1, 1, 1), np.float32), np.ones((1, 2), np.float32))
    assert run(name, window, 4)[0] == [0]


def test_it_says_what_it_needs_and_refuses_a_window_without(name: str) -> None:
    strategy = get_strategy(name)
    assert isinstance(strategy, Strategy)
    assert strategy.name == name
    assert strategy.source
    bare = {
        Need.PROBS: Window(np.empty((3, 1, 0), np.float32), np.zeros((3, 2), np.float32)),
        Need.EMBEDDINGS: Window(np.full((3, 1, 2), 0.5, np.float32), np.empty((3, 0), np.float32)),
    }
    for need, window in bare.items():
        if need in strategy.needs:
            with pytest.raises(StrategyError, match=need):
                run(name, window, 1)
        else:
            assert len(run(name, window, 1)[0]) == 1
