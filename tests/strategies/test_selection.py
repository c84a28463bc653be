"""The best k of a score, ties in the order of the rows."""

import numpy as np

from siftstream.strategies import Selection, take_best


def test_take_best_is_a_stable_sort() -> None:
    scores = np.random.default_rng(0).integers(0, 9, 500).astype(np.float64)
    for k in (1, 7, 250, 500):
        assert take_best(scores, k).indices.tolist() == np.argsort(-scores, kind="stable")[:k].tolist()


def test_ranked_rows_keep_their_order_where_scores_are_equal() -> None:
    chosen = Selection.ranked(np.array([9, 4, 7]), np.array([0.5, 0.5, 0.75], np.float32), by="margin")
    assert (chosen.indices.tolist(), chosen.scores.tolist(), chosen.by) == (
        [7, 9, 4],
        [0.75, 0.5, 0.5],
        "margin",
    )
    assert chosen.indices.dtype == np.int64
    assert chosen.scores.dtype == np.float64
