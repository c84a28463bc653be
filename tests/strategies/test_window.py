"""A window is read-only, gathers lazily, and refuses arrays that do not fit together."""

from typing import Any

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Need, Past, Progress, Tokens, Window
from siftstream.strategies.conformance import make_window


@pytest.mark.parametrize(
    ("probs", "emb", "covered"),
    [((3, 2), (3, 4), (0, 4)), ((3, 1, 2), (2, 4), (0, 4)), ((3, 1, 2), (3, 4), (2, 5))],
)
def test_arrays_that_do_not_fit_are_refused(
    probs: tuple[int, ...], emb: tuple[int, ...], covered: tuple[int, ...]
) -> None:
    with pytest.raises(StrategyError, match=r"window|covered"):
        Window(np.zeros(probs, np.float32), np.zeros(emb, np.float32), np.zeros(covered, np.float32))


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ({"keys_B": np.zeros(2, np.uint64)}, "keys: 2 rows, and the window has 3"),
        ({"metadata": [{}]}, "metadata: 1 rows"),
        ({"columns": {"loss": np.zeros(4)}}, "column loss: 4 rows"),
        ({"logits_BMC": np.zeros((3, 1, 5))}, "logits must be"),
        ({"tokens": Tokens(np.zeros((3, 5)), np.zeros(3, np.int64))}, "tokens need"),
        ({"tokens": Tokens(np.zeros((2, 5, 2)), np.zeros(2, np.int64))}, "tokens: 2 rows"),
    ],
)
def test_what_stands_beside_must_fit_too(beside: dict[str, Any], words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        Window(np.zeros((3, 1, 2), np.float32), np.zeros((3, 4), np.float32), **beside)


def test_rows_of_rows_are_rows_of_the_window() -> None:
    window = make_window(0, 20)
    some = window.rows(np.array([5, 3, 11, 2])).rows(slice(1, 3))
    assert len(some) == 2
    for array, whole in (
        (some.probs_BMC, window.probs_BMC), (some.emb_BD, window.emb_BD), (some.keys_B, window.keys_B),
    ):  # fmt: skip
        np.testing.assert_array_equal(array, whole[[3, 11]])
    assert some.metadata == [(window.metadata or [])[row] for row in (3, 11)]


def test_nothing_can_be_written_through_a_window() -> None:
    window = make_window(0, 4, covered=2)
    for array in (window.probs_BMC, window.emb_BD, window.covered_ND, window.keys_B):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_another_progress_copies_no_array() -> None:
    window = make_window(0, 9)
    told = window.but(progress=Progress(7, 2, (Past("margin"),)))
    assert told.progress.round == 7
    assert window.progress.round == 3
    assert np.shares_memory(told.emb_BD, window.emb_BD)
    some = window.rows(np.array([4, 1]))
    assert some.but(progress=told.progress).emb_BD is not some  # gathered when read
    np.testing.assert_array_equal(some.but(progress=told.progress).emb_BD, window.emb_BD[[4, 1]])


def test_other_embeddings_of_another_width_need_covered_ones_of_that_width() -> None:
    window = make_window(0, 5, covered=2)
    with pytest.raises(StrategyError, match="covered embeddings must be"):
        window.but(emb_BD=np.zeros((5, 2)))
    narrow = window.but(emb_BD=np.zeros((5, 2)), covered_ND=np.zeros((1, 2)))
    assert (narrow.dim, len(narrow.covered_ND)) == (2, 1)


def test_the_order_hangs_on_the_keys_and_not_on_where_a_row_stands() -> None:
    window, moved = make_window(0, 50), np.random.default_rng(1).permutation(50)
    one = window.order(np.random.default_rng(3))
    other = moved[window.rows(moved).order(np.random.default_rng(3))]
    np.testing.assert_array_equal(one, other)
    assert (one != window.order(np.random.default_rng(4))).any()


@pytest.mark.parametrize("need", list(Need))
def test_a_window_knows_what_it_carries(need: Need) -> None:
    assert make_window(0, 3).has(need)
    assert not make_window(0, 3, without=need).has(need)
