"""Information density and ranked batch: uncertainty weighed by where a sample stands."""

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.hybrid import ranked_batch
from siftstream.strategies.hybrid.density import mean_cosine, mean_over


def random_window(seed: int, size: int, covered: int, *, kinds: int = 5) -> Window:
    rng = np.random.default_rng(seed)
    middles = rng.normal(0, 2, (kinds, 4))

    def points(count: int) -> np.ndarray:
        return (middles[rng.integers(kinds, size=count)] + rng.normal(size=(count, 4))).astype(np.float32)

    return Window(rng.dirichlet(np.ones(3), (size, 1)), points(size), points(covered))


@pytest.fixture(scope="module")
def modal() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import modAL.batch
        import modAL.density

        return SimpleNamespace(batch=modAL.batch, density=modAL.density)


def test_information_density_by_cosine_is_that_computed_by_hand() -> None:
    # Cosines of row 0 with itself, (1, 1) and (-1, 0): 1, .7071, -1, mean .2357; of row 1: .7071, 1, -.7071,
    # mean .3333; of row 2: -1, -.7071, 1, mean -.2357, which counts as 0. Entropy .6931 each.
    window = Window(np.full((3, 1, 2), 0.5), np.array([[2.0, 0.0], [1.0, 1.0], [-3.0, 0.0]]))
    chosen = get_strategy("information_density").select(window, 3, np.random.default_rng(0))
    assert chosen.indices.tolist() == [1, 0, 2]
    np.testing.assert_allclose(chosen.scores, [0.693147 / 3, 0.693147 * 0.2357023, 0.0], rtol=1e-5)
    squared = get_strategy("information_density", beta=2.0).select(window, 3, np.random.default_rng(0))
    np.testing.assert_allclose(squared.scores, [0.693147 / 9, 0.693147 / 18, 0.0], rtol=1e-5)


def test_the_closed_form_is_the_mean_of_all_cosines() -> None:
    emb_BD = np.random.default_rng(0).normal(1, 1, (50, 7))
    units = emb_BD / np.linalg.norm(emb_BD, axis=1, keepdims=True)
    np.testing.assert_allclose(mean_cosine(emb_BD), (units @ units.T).mean(axis=1), rtol=1e-6)


def test_without_exponent_only_the_uncertainty_counts() -> None:
    window = random_window(1, 30, 0)
    density = get_strategy("information_density", uncertainty="margin", beta=0.0)
    chosen, margin = (
        s.select(window, 9, np.random.default_rng(0)) for s in (density, get_strategy("margin"))
    )
    assert chosen.indices.tolist() == margin.indices.tolist()


def test_euclidean_similarity_is_that_of_modal(modal: Any) -> None:
    # modAL compares all rows with all; ours a sample of the rows, and all of them where they are few.
    window = random_window(2, 60, 0)
    entropy = get_strategy("entropy").select(window, 60, np.random.default_rng(0))
    scores = dict(zip(entropy.indices.tolist(), entropy.scores.tolist(), strict=True))
    density = modal.density.information_density(window.emb_BD.astype(np.float64), "euclidean")
    strategy = get_strategy("information_density", similarity="euclidean")
    chosen = strategy.select(window, 60, np.random.default_rng(0))
    expected = [scores[row] * density[row] for row in chosen.indices.tolist()]
    np.testing.assert_allclose(chosen.scores, expected, rtol=1e-5)


def test_a_sample_of_references_comes_close_to_all() -> None:
    emb_BD = np.random.default_rng(0).normal(size=(3000, 3))
    every = mean_over(emb_BD, 3000, np.random.default_rng(0), lambda apart: apart)
    some = mean_over(emb_BD, 500, np.random.default_rng(0), lambda apart: apart)
    assert not np.array_equal(every, some)
    np.testing.assert_allclose(some, every, rtol=0.1)


def test_ranked_batch_scores_are_those_computed_by_hand() -> None:
    # Covered at 0, three rows: alpha 3/4, 2/4, 1/4. u = .5, .5, 0; d = 1, 3, 9.
    # Turn 1: .75 (1 - 1/2) + .25 * .5 = .5; .75 * .75 + .125 = .6875; .75 * .9 + 0 = .675: row 1.
    # Turn 2: d = 1, -, 6: .5 * .5 + .5 * .5 = .5; .5 (1 - 1/7) = .4286: row 0.
    # Turn 3: .25 (1 - 1/7) = .2143.
    window = Window(
        np.array([[[0.5, 0.5]], [[0.5, 0.5]], [[1.0, 0.0]]]),
        np.array([[1.0], [3.0], [9.0]]),
        np.zeros((1, 1)),
    )
    chosen = get_strategy("ranked_batch").select(window, 3, np.random.default_rng(0))
    assert chosen.indices.tolist() == [1, 0, 2]
    np.testing.assert_allclose(chosen.scores, [0.6875, 0.5, 0.2142857], rtol=1e-6)


@pytest.mark.parametrize("pool", [1, 3, 1024])
@pytest.mark.parametrize("covered", [1, 40])
def test_ranked_batch_ranks_as_modal(
    modal: Any, monkeypatch: pytest.MonkeyPatch, pool: int, covered: int
) -> None:
    # Known differences, without covered rows only: modAL measures all distances to find the first row, may
    # then take it a second time, and counts it among the free. Scores: modAL returns uncertainties.
    monkeypatch.setattr(ranked_batch, "POOL", pool)
    window = random_window(0, 30, covered)
    learner = SimpleNamespace(X_training=window.covered_ND.astype(np.float64), on_transformed=False)
    theirs, _ = modal.batch.ranked_batch(
        learner, window.emb_BD.astype(np.float64), 1.0 - window.probs_BMC[:, 0].max(axis=1),
        n_instances=30, metric="euclidean", n_jobs=None,
    )  # fmt: skip
    ours = get_strategy("ranked_batch").select(window, 30, np.random.default_rng(0))
    assert ours.indices.tolist() == theirs.tolist()


def test_the_first_of_a_cold_start_is_the_one_that_modal_finds(modal: Any) -> None:
    window = random_window(4, 50, 0)
    first, _ = modal.batch.select_cold_start_instance(window.emb_BD.astype(np.float64), "euclidean", None)
    chosen = get_strategy("ranked_batch").select(window, 5, np.random.default_rng(0))
    assert chosen.indices[0] == first
    assert chosen.scores[0] == 1.0


@pytest.mark.filterwarnings("error")
def test_equal_rows_are_all_ranked() -> None:
    window = Window(np.full((30, 1, 2), 0.5), np.ones((30, 3)), np.ones((2, 3)))
    chosen = get_strategy("ranked_batch").select(window, 30, np.random.default_rng(0))
    assert sorted(chosen.indices.tolist()) == list(range(30))
