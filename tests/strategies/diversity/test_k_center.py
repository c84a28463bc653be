"""k-center greedy and the farthest-first traversal: lazy evaluation gives the answers of the plain loop."""

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.diversity import lazy

ROWS = {
    "clusters": lambda rng: rng.normal(0, 4, (9, 5))[rng.integers(9, size=400)] + rng.normal(size=(400, 5)),
    "plane": lambda rng: rng.normal(size=(500, 2)),
    "duplicates": lambda rng: rng.integers(0, 3, (300, 3)),
    "wide": lambda rng: rng.normal(size=(200, 64)),
}


def window_of(emb_BD: np.ndarray, covered_ND: np.ndarray | None = None) -> Window:
    return Window(np.ones((len(emb_BD), 1, 1), np.float32), emb_BD, covered_ND)


def plain(emb_BD: np.ndarray, k: int, centres: list[np.ndarray]) -> tuple[list[int], list[float]]:
    """Take the farthest row of all, `k` times, by a loop over all rows and centres."""
    taken: list[int] = []
    scores: list[float] = []
    emb = emb_BD.astype(np.float64)
    for _ in range(k):
        squared = np.min([((emb - centre) ** 2).sum(axis=1) for centre in centres], axis=0).astype(np.float32)
        squared[taken] = -1.0
        taken.append(int(squared.argmax()))
        scores.append(float(np.sqrt(np.float64(squared[taken[-1]]))))
        centres = [*centres, emb[taken[-1]]]
    return taken, scores


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("refreshed", [1024, 16, 1])
def test_the_farthest_rows_are_those_of_the_plain_double_loop(
    rows: str, refreshed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy, "REFRESHED", refreshed)
    rng = np.random.default_rng(0)
    emb, covered = (ROWS[rows](rng).astype(np.float16) for _ in range(2))
    chosen = get_strategy("k_center").choose(window_of(emb, covered[:7]), 90, rng)
    expected, scores = plain(emb, 90, list(covered[:7].astype(np.float64)))
    assert chosen.indices.tolist() == expected
    np.testing.assert_allclose(chosen.scores, scores, rtol=1e-6)


def test_without_covered_rows_the_one_nearest_to_the_mean_comes_first() -> None:
    # Mean (2, 1). From (2, 1): sqrt 17 to (6, 0), sqrt 8 to (0, 3), sqrt 5 to (0, 0); the latter stays so.
    emb = np.array([[0.0, 0.0], [6.0, 0.0], [2.0, 1.0], [0.0, 3.0]], np.float32)
    chosen = get_strategy("k_center").select(window_of(emb), 4, np.random.default_rng(0))
    assert chosen.indices.tolist() == [2, 1, 3, 0]
    np.testing.assert_allclose(chosen.scores, [17**0.5, 17**0.5, 8**0.5, 5**0.5], rtol=1e-6)


def test_a_covered_row_scores_exactly_zero() -> None:
    emb = np.random.default_rng(1).normal(50.0, 1.0, (80, 40)).astype(np.float16)
    chosen = get_strategy("k_center").select(window_of(emb, emb[:30]), 80, np.random.default_rng(0))
    assert sorted(chosen.indices[50:].tolist()) == list(range(30))
    assert (chosen.scores[50:] == 0.0).all()
    assert (chosen.scores[:50] > 0.0).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_k_center_agrees_with_scikit_activemls_core_set() -> None:
    from skactiveml.pool import CoreSet

    emb = np.random.default_rng(2).normal(size=(120, 6)).astype(np.float32)
    known = np.full(120, np.nan)
    known[:5] = 0.0
    theirs = CoreSet(random_state=0).query(emb, known, batch_size=25)
    ours = get_strategy("k_center").select(window_of(emb[5:], emb[:5]), 25, np.random.default_rng(0))
    # Without covered rows they differ: they begin with a random row, k_center with the most central one.
    assert (ours.indices + 5).tolist() == theirs.tolist()


def test_farthest_first_goes_on_from_its_random_row_as_the_plain_loop_does() -> None:
    emb = np.random.default_rng(3).normal(size=(150, 3)).astype(np.float32)
    window = window_of(emb, emb[:20])
    chosen = get_strategy("farthest_first").select(window, 40, np.random.default_rng(4))
    first = int(chosen.indices[0])
    expected, scores = plain(emb, 39, [emb[first].astype(np.float64)])
    assert chosen.indices[1:].tolist() == expected
    np.testing.assert_allclose(chosen.scores, [scores[0], *scores], rtol=1e-6)


def test_farthest_first_begins_anywhere_and_does_not_see_what_is_covered() -> None:
    emb = np.array([[0.0], [1.0], [2.0], [3.0]], np.float32)
    strategy = get_strategy("farthest_first")
    firsts = set()
    for seed in range(40):
        chosen = strategy.select(window_of(emb, emb[:2]), 2, np.random.default_rng(seed))
        alone = strategy.select(window_of(emb), 2, np.random.default_rng(seed))
        assert chosen.indices.tolist() == alone.indices.tolist()
        firsts.add(int(chosen.indices[0]))
    assert firsts == {0, 1, 2, 3}
