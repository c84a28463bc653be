"""CLUE, DBAL and Cluster-Margin: clusters of uncertain samples."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Window, get_strategy
from siftstream.strategies.clustering import k_means
from siftstream.strategies.hybrid.cluster_margin import round_robin
from siftstream.strategies.hybrid.informative import weights_of
from siftstream.strategies.uncertainty.entropy import entropy


def two_classes(highest: list[float], points: list[float]) -> Window:
    return Window(np.array([[[p, 1 - p]] for p in highest]), np.array(points)[:, None])


def test_clue_takes_what_is_next_to_the_mean_weighted_by_entropy() -> None:
    # Entropies of .5, 1, .9 are .6931, 0, .3251: the centre is (0 * .6931 + 6 * .3251) / 1.0182 = 1.9157,
    # and 2 is nearest though it is certain itself; without weights it would be 8/3, and 2 again; with the
    # weights of row 0 alone, 0.
    chosen = get_strategy("clue").select(two_classes([0.5, 1.0, 0.9], [0, 2, 6]), 1, np.random.default_rng(0))
    assert chosen.indices.tolist() == [1]
    chosen = get_strategy("clue").select(two_classes([0.5, 1.0, 1.0], [0, 2, 6]), 1, np.random.default_rng(0))
    assert chosen.indices.tolist() == [0]
    assert chosen.scores[0] == pytest.approx(np.log(2))


def test_dbal_clusters_only_what_passes_the_filter() -> None:
    # beta k = 4 keeps margins .5 .5 .45 .45 at 0, 1, 10, 11; the certain crowd at 5 is out.
    highest = [0.5, 0.5, 0.55, 0.55, *[0.99] * 20]
    window = two_classes(highest, [0.0, 1.0, 10.0, 11.0, *[5.0] * 20])
    for seed in range(6):
        chosen = get_strategy("dbal", beta=2.0).select(window, 2, np.random.default_rng(seed)).indices
        assert sorted(row // 2 for row in chosen.tolist()) == [0, 1]


def test_dbal_with_a_filter_that_keeps_k_is_its_uncertainty() -> None:
    window = two_classes([0.5, 0.9, 0.6, 0.7], [0, 1, 2, 3])
    chosen = get_strategy("dbal", beta=1.0).select(window, 2, np.random.default_rng(0))
    assert chosen.indices.tolist() == [0, 2]
    np.testing.assert_allclose(chosen.scores, [1.0, 0.8])


def test_round_robin_goes_from_small_clusters_to_large_ones_until_k_are_found() -> None:
    cluster_B = np.array([0, 0, 0, 0, 1, 1, 2])
    for seed in range(10):
        rows = round_robin(cluster_B, 7, np.random.default_rng(seed))
        assert cluster_B[rows].tolist() == [2, 1, 0, 1, 0, 0, 0]
        assert sorted(rows.tolist()) == list(range(7))


def test_a_row_of_a_cluster_is_drawn_evenly() -> None:
    rng, counts = np.random.default_rng(0), np.zeros(4)
    for _ in range(4000):
        counts[round_robin(np.zeros(4, np.int64), 1, rng)] += 1
    assert abs(counts - 1000).max() < 5 * np.sqrt(4000 * 0.25 * 0.75)


def test_cluster_margin_serves_rare_kinds_that_margins_alone_pass_over() -> None:
    # Sixty of one kind are the most uncertain; four of two rare kinds are less so, and still candidates.
    highest = [*np.linspace(0.5, 0.6, 60).tolist(), 0.65, 0.65, 0.66, 0.66, *[0.99] * 40]
    points = [*np.linspace(0, 1, 60).tolist(), 50.0, 50.5, 90.0, 90.5, *[20.0] * 40]
    window = two_classes(highest, points)
    strategy = get_strategy("cluster_margin", factor=16.0, cluster_size=8.0)
    for seed in range(5):
        chosen = strategy.select(window, 4, np.random.default_rng(seed)).indices.tolist()
        assert {60, 61} & set(chosen)
        assert {62, 63} & set(chosen)
    assert max(get_strategy("margin").select(window, 4, np.random.default_rng(0)).indices) < 60


@pytest.mark.parametrize("name", ["clue", "dbal", "cluster_margin"])
def test_another_uncertainty_may_weigh_and_must_score_each_sample(name: str) -> None:
    window = two_classes([0.5, 0.9, 0.6, 0.7], [0, 1, 2, 3])
    strategy = get_strategy(name, uncertainty={"name": "least_confidence"})
    chosen = strategy.select(window, 4, np.random.default_rng(0))
    np.testing.assert_allclose(chosen.scores, [0.5, 0.4, 0.3, 0.1])
    with pytest.raises(StrategyError, match="no score of each sample"):
        get_strategy(name, uncertainty="badge")


@pytest.fixture
def skactiveml() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import skactiveml.base
        import skactiveml.pool

        yield skactiveml


def test_clue_chooses_as_scikit_activeml_does_from_the_same_clusters(skactiveml: Any) -> None:
    # Known differences: scikit-activeml's clusters are those of scikit-learn's KMeans, so ours are handed to
    # it here; it seeks the nearest row to a centre among all rows, we among the cluster's own, which parts
    # ways only where clusters touch.
    rng = np.random.default_rng(5)
    emb_BD = rng.normal(size=(80, 3)) + 40 * rng.normal(size=(6, 1, 3)).repeat(14, axis=1).reshape(84, 3)[:80]
    probs_BC = rng.dirichlet(np.ones(3), 80)

    class Given(skactiveml.base.SkactivemlClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            return self

        def predict_proba(self, X: Any) -> Any:
            return probs_BC

    class Ours:
        def __init__(self, n_clusters: int) -> None:
            self.k = n_clusters

        def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
            np.testing.assert_allclose(sample_weight, weights_of(entropy(probs_BC)))
            found = k_means(X, self.k, np.random.default_rng(1), weights_B=sample_weight, iterations=10)
            return np.linalg.norm(X[:, None] - found.centres_KD[None], axis=2)

    theirs = skactiveml.pool.Clue(
        cluster_algo=Ours, cluster_algo_dict={}, method="entropy", random_state=0
    ).query(emb_BD, np.full(80, np.nan), Given(classes=range(3)), fit_estimator=False, batch_size=6)
    window = Window(probs_BC[:, None], emb_BD)
    ours = get_strategy("clue").choose(window, 6, np.random.default_rng(1))
    assert sorted(ours.indices.tolist()) == sorted(theirs.tolist())
