"""Facility location, max-herding and ProbCover: greedy coverage, by hand and beside scikit-activeml."""

import math

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.diversity import coverage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def window_of(emb_BD: np.ndarray, covered_ND: np.ndarray | None = None, classes: int = 1) -> Window:
    return Window(np.ones((len(emb_BD), 1, classes), np.float32), emb_BD, covered_ND)


def plain(likeness_BB: np.ndarray, k: int, best_B: np.ndarray) -> tuple[list[int], list[float]]:
    taken: list[int] = []
    scores: list[float] = []
    for _ in range(k):
        added = np.maximum(likeness_BB - best_B, 0.0).mean(axis=1)
        added[taken] = -1.0
        taken.append(int(added.argmax()))
        scores.append(float(added[taken[-1]]))
        best_B = np.maximum(best_B, likeness_BB[taken[-1]])
    return taken, scores


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    return (a @ b.T) / norms


def test_facility_location_by_hand() -> None:
    # (1 + cosine) / 2 between (1, 0), (0, 1), (-1, 0): 1 with itself, 1/2 to the next, 0 to the opposite.
    # Sums: 3/2, 2, 3/2: the middle first, 2/3 each; then an outer one adds 1/2, 1/6 each.
    emb = np.array([[1.0, 0.0], [0.0, 1.0], [-3.0, 0.0]], np.float32)
    chosen = get_strategy("facility_location").select(window_of(emb), 3, np.random.default_rng(0))
    assert chosen.indices[0] == 1
    np.testing.assert_allclose(chosen.scores, [2 / 3, 1 / 6, 1 / 6], rtol=1e-6)


@pytest.mark.parametrize("kept", [0, 2000, 1 << 20])
def test_lazy_evaluation_gives_the_rows_of_the_plain_loop(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "KEPT_VALUES", kept)
    rng = np.random.default_rng(0)
    emb, covered = rng.normal(size=(130, 5)), rng.normal(size=(4, 5))
    chosen = get_strategy("facility_location").choose(window_of(emb, covered), 60, rng)
    best = (1.0 + cosine(covered, emb).max(axis=0)) / 2.0
    rows, scores = plain((1.0 + cosine(emb, emb)) / 2.0, 60, best)
    assert chosen.indices.tolist() == rows
    np.testing.assert_allclose(chosen.scores, scores, rtol=1e-5)


def test_max_herding_by_hand() -> None:
    # exp(-d^2) between 0, 1, 3: e^-1, e^-9, e^-4. Sums: 1 + e^-1 + e^-9; 1 + e^-1 + e^-4 (best); ...
    emb = np.array([[0.0], [1.0], [3.0]])
    strategy = get_strategy("max_herding", normalize=False)
    chosen = strategy.select(window_of(emb), 2, np.random.default_rng(0))
    assert chosen.indices.tolist() == [1, 2]
    first, second = (1 + math.exp(-1) + math.exp(-4)) / 3, (1 - math.exp(-4)) / 3
    np.testing.assert_allclose(chosen.scores, [first, second], rtol=1e-6)


@pytest.mark.parametrize("covered", [0, 6])
def test_max_herding_agrees_with_scikit_activeml(covered: int) -> None:
    from skactiveml.pool import MaxHerding

    emb = np.random.default_rng(1).normal(size=(90, 5))
    known = np.full(90, np.nan)
    known[:covered] = 0.0
    # Their kernel is exp(-gamma d^2), ours exp(-d^2 / bandwidth^2). They sum over the candidates, and so does
    # max_herding while the window has no more rows than `references`; above, it sums over a sample.
    theirs = MaxHerding(metric_dict={"gamma": 1.0 / 0.7**2}, random_state=0).query(emb, known, batch_size=20)
    window = window_of(emb[covered:], emb[:covered])
    ours = get_strategy("max_herding", bandwidth=0.7).select(window, 20, np.random.default_rng(0))
    assert (ours.indices + covered).tolist() == theirs.tolist()


@pytest.mark.filterwarnings("ignore:The maximum purity:UserWarning")
def test_prob_cover_agrees_with_scikit_activeml_at_the_same_radius() -> None:
    from skactiveml.pool import ProbCover

    emb = np.random.default_rng(2).normal(size=(80, 2))
    theirs = ProbCover(deltas=[0.8], random_state=0)  # one radius: it warns that it has no choice
    _, utilities = theirs.query(emb, np.full(80, np.nan), batch_size=8, return_utilities=True)
    strategy = get_strategy("prob_cover", delta=0.8)
    ours = strategy.select(window_of(emb), 8, np.random.default_rng(0))
    # Ties go by each library's own seed, so how much is covered is compared at the first row, where all
    # agree, and in all, up to what other ties may lead to.
    assert ours.scores[0] * 80 == pytest.approx(np.nanmax(utilities[0]))
    assert ours.scores.sum() * 80 == pytest.approx(np.nanmax(utilities, axis=1).sum(), abs=4)


def test_prob_cover_does_not_cover_twice_and_counts_covered_rows() -> None:
    emb = np.array([[0.0], [1.0], [2.0], [3.0], [50.0], [51.0], [90.0]])
    strategy = get_strategy("prob_cover", delta=1.0)
    chosen = strategy.select(window_of(emb, np.array([[50.5]])), 3, np.random.default_rng(0))
    assert chosen.indices[0] in (1, 2)
    np.testing.assert_allclose(chosen.scores, [3 / 7, 1 / 7, 1 / 7], rtol=1e-6)
    assert not {4, 5} & set(chosen.indices.tolist())


def test_prob_covers_radius_is_the_largest_with_pure_balls() -> None:
    # Two clusters, 0 1 2 and 10 11 12. Distances to the other cluster: 10, 9, 8, 8, 9, 10. All balls are pure
    # below 8, two thirds of them below 9.
    emb = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    for purity, limit in ((1.0, 8.0), (0.66, 9.0)):
        strategy = get_strategy("prob_cover", purity=purity)
        found = strategy._pure(window_of(emb), np.random.default_rng(0))
        assert math.sqrt(found) == pytest.approx(limit, rel=1e-6)
        assert found < limit**2


def test_where_references_are_a_sample_others_are_drawn_after_half_as_many_rows() -> None:
    emb = np.random.default_rng(3).normal(size=(300, 4)).astype(np.float32)
    strategy = get_strategy("max_herding", references=20)
    chosen = strategy.select(window_of(emb), 200, np.random.default_rng(0))
    assert (chosen.scores > 0.0).sum() > 100  # 20 references by themselves would be all taken after 20 rows
    head = strategy.select(window_of(emb), 55, np.random.default_rng(0))
    assert head.indices.tolist() == chosen.indices[:55].tolist()
