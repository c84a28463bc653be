"""TypiClust: the most typical row of each large uncovered cluster, with few rows and many, equal ones too."""

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy

SIZES = (40, 30, 20)


def window_of(emb_BD: np.ndarray, covered_ND: np.ndarray | None = None) -> Window:
    return Window(np.ones((len(emb_BD), 1, 1), np.float32), emb_BD, covered_ND)


def three_clusters() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(3), SIZES)
    return (np.eye(3, 4)[cluster] * 60 + rng.normal(size=(90, 4))).astype(np.float32), cluster


def typicality(emb: np.ndarray, count: int) -> np.ndarray:
    apart = np.sqrt(((emb[:, None].astype(np.float64) - emb[None]) ** 2).sum(axis=2))
    return 1.0 / np.sort(apart, axis=1)[:, 1 : count + 1].mean(axis=1)


def test_typicality_by_hand() -> None:
    # Of 0, 1, 3, 7 with two neighbours: means 2, 1.5, 2.5, 5.
    strategy = get_strategy("typiclust", neighbours=2)
    emb = np.array([[0.0], [1.0], [3.0], [7.0]])
    np.testing.assert_allclose(
        strategy.typicality(emb, np.random.default_rng(0)), [0.5, 2 / 3, 0.4, 0.2], rtol=1e-4
    )


def test_the_most_typical_row_of_each_cluster_is_taken_the_largest_cluster_first() -> None:
    emb, cluster = three_clusters()
    chosen = get_strategy("typiclust").select(window_of(emb), 3, np.random.default_rng(0))
    expected = []
    for number, size in enumerate(SIZES):
        members = np.flatnonzero(cluster == number)
        expected.append(int(members[typicality(emb[members], min(20, size // 2)).argmax()]))
    assert chosen.indices.tolist() == expected
    np.testing.assert_allclose(chosen.scores, [1.0, 2 / 3, 1 / 3])


def test_clusters_with_covered_rows_come_after_those_without() -> None:
    # One covered row and k = 2 make three clusters; the largest one holds the covered row.
    emb, cluster = three_clusters()
    chosen = get_strategy("typiclust").select(window_of(emb, emb[:1]), 2, np.random.default_rng(0))
    assert cluster[chosen.indices].tolist() == [1, 2]


def test_where_clusters_are_fewer_than_k_they_give_rows_in_turn() -> None:
    emb, cluster = three_clusters()
    strategy = get_strategy("typiclust", max_clusters=3)
    chosen = strategy.select(window_of(emb), 7, np.random.default_rng(0))
    assert cluster[chosen.indices].tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_an_outlier_by_itself_comes_last() -> None:
    emb, _ = three_clusters()
    emb = np.concatenate([emb, np.full((1, 4), -500.0, np.float32)])
    chosen = get_strategy("typiclust").select(window_of(emb), 4, np.random.default_rng(0))
    assert 90 not in chosen.indices[:3].tolist()


@pytest.mark.parametrize("k", [59, 60])
def test_k_close_to_the_window_gives_distinct_rows_one_of_each_kind_first(k: int) -> None:
    emb = np.repeat(np.random.default_rng(1).normal(size=(20, 6)), 3, axis=0).astype(np.float16)
    chosen = get_strategy("typiclust").select(window_of(emb), k, np.random.default_rng(0))
    assert len(set(chosen.indices.tolist())) == k
    assert len(set((chosen.indices[:20] // 3).tolist())) == 20


def test_neighbours_in_a_sample_of_a_large_cluster_find_the_dense_part() -> None:
    rng = np.random.default_rng(2)
    emb = np.concatenate([rng.normal(0, 0.1, (200, 3)), rng.normal(0, 3.0, (400, 3))]).astype(np.float32)
    strategy = get_strategy("typiclust", references=150)
    chosen = strategy.select(window_of(emb), 1, np.random.default_rng(0))
    assert np.linalg.norm(emb[chosen.indices[0]]) < 0.5


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_typiclust_agrees_with_scikit_activeml_on_clusters_that_stand_apart() -> None:
    from skactiveml.pool import TypiClust

    emb, _ = three_clusters()
    theirs = TypiClust(k=9, random_state=0, cluster_algo_dict={"n_init": 5}).query(
        emb, np.full(90, np.nan), batch_size=3
    )
    # Theirs counts a row among its own neighbours (a distance of 0, which changes no order), has no cap on
    # clusters, takes one row of each at most, and does not put tiny clusters last.
    ours = get_strategy("typiclust", neighbours=9).select(window_of(emb), 3, np.random.default_rng(0))
    assert ours.indices.tolist() == theirs.tolist()
