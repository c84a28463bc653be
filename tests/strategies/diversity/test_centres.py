"""k-means, mini-batch k-means, and random projection before another strategy."""

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Labelled, Window, get_strategy
from siftstream.strategies.clustering import k_means, plus_plus

SIZES = (50, 30, 20)


def window_of(emb_BD: np.ndarray, covered_ND: np.ndarray | None = None) -> Window:
    return Window(np.ones((len(emb_BD), 1, 2), np.float32) / 2, emb_BD, covered_ND)


def three_clusters() -> tuple[np.ndarray, np.ndarray]:
    cluster = np.repeat(np.arange(3), SIZES)
    return np.eye(3, 5)[cluster] * 40 + np.random.default_rng(0).normal(size=(100, 5)), cluster


@pytest.mark.parametrize("name", ["k_means", "mini_batch_k_means"])
def test_the_row_nearest_to_each_mean_is_taken_the_largest_cluster_first(name: str) -> None:
    emb, cluster = three_clusters()
    chosen = get_strategy(name).select(window_of(emb), 3, np.random.default_rng(0))
    assert cluster[chosen.indices].tolist() == [0, 1, 2]
    np.testing.assert_allclose(chosen.scores, [0.5, 0.3, 0.2])
    for row, number in zip(chosen.indices.tolist(), range(3), strict=True):
        members = np.flatnonzero(cluster == number)
        apart = ((emb[members] - emb[members].mean(axis=0)) ** 2).sum(axis=1)
        near = members[np.argsort(apart)[: 1 if name == "k_means" else 5]]
        assert row in near.tolist()


@pytest.mark.parametrize("name", ["k_means", "mini_batch_k_means"])
def test_where_rows_are_equal_each_kind_comes_once_before_any_twice(name: str) -> None:
    emb = np.repeat(np.arange(4.0)[:, None] * 9, 5, axis=0)
    chosen = get_strategy(name).select(window_of(emb), 8, np.random.default_rng(0))
    assert set((chosen.indices[:4] // 5).tolist()) == set((chosen.indices[4:] // 5).tolist()) == {0, 1, 2, 3}
    np.testing.assert_allclose(chosen.scores, [0.25] * 4 + [0.125] * 4)


def test_mini_batches_come_close_to_all_iterations() -> None:
    rng = np.random.default_rng(1)
    emb = (rng.normal(0, 3, (10, 6))[rng.integers(10, size=2000)] + rng.normal(size=(2000, 6))).astype("f4")

    def spread(rows: np.ndarray) -> float:
        return float(((emb[:, None] - emb[rows][None]) ** 2).sum(axis=2).min(axis=1).sum())

    small = spread(get_strategy("mini_batch_k_means", batch=200).select(window_of(emb), 10, rng).indices)
    assert small < 1.2 * k_means(emb, 10, rng).squared_B.sum() * 1.2
    assert small < 0.9 * np.mean([spread(plus_plus(emb, 10, np.random.default_rng(s))) for s in range(5)])


def test_a_sparse_projection_has_the_entries_of_achlioptas() -> None:
    matrix = get_strategy("random_projection", dim=48).matrix(500, np.random.default_rng(0))
    size = (3 / 48) ** 0.5
    assert set(np.unique(matrix).tolist()) == {-size, 0.0, size}
    assert (matrix == 0.0).mean() == pytest.approx(2 / 3, abs=0.02)
    assert (matrix > 0.0).mean() == pytest.approx(1 / 6, abs=0.02)


@pytest.mark.parametrize("kind", ["sparse", "gaussian"])
def test_projected_distances_are_right_on_average(kind: str) -> None:
    vectors = np.random.default_rng(1).normal(size=(40, 300))
    matrix = get_strategy("random_projection", dim=200, kind=kind).matrix(300, np.random.default_rng(0))
    ratio = ((vectors @ matrix) ** 2).sum(axis=1) / (vectors**2).sum(axis=1)
    assert ratio.mean() == pytest.approx(1.0, abs=0.05)
    assert np.abs(ratio - 1.0).max() < 0.5


def test_covered_rows_are_projected_as_the_window_is() -> None:
    emb = np.random.default_rng(2).normal(size=(50, 30)).astype(np.float16)
    strategy = get_strategy("random_projection", dim=4, strategy="k_center")
    chosen = strategy.select(window_of(emb, emb[:20]), 50, np.random.default_rng(0))
    assert sorted(chosen.indices[30:].tolist()) == list(range(20))
    assert (chosen.scores[30:] == 0.0).all()
    assert chosen.by == "k_center"


def test_narrow_embeddings_go_through_as_they_are() -> None:
    emb = np.random.default_rng(3).normal(size=(30, 4))
    known = Labelled(emb[:2], np.array([0, 1]), np.full((2, 2), 0.5))
    window = window_of(emb).but(labelled=known)
    wrapped = get_strategy("random_projection", strategy="k_center").choose(
        window, 9, np.random.default_rng(0)
    )
    inner = get_strategy("k_center").choose(window, 9, np.random.default_rng(0))
    assert wrapped.indices.tolist() == inner.indices.tolist()


def test_a_strategy_that_reads_the_head_cannot_be_projected() -> None:
    with pytest.raises(StrategyError, match="reads the head"):
        get_strategy("random_projection", strategy="deepfool")
