"""The field's libraries give the same scores on random inputs; where they differ, a comment says how."""

import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from siftstream.strategies import Window, get_strategy
from siftstream.strategies.committee.epig import predictive_gain

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def libraries() -> SimpleNamespace:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import baal.active.heuristics.heuristics as baal
        import modAL.disagreement as modal
        import skactiveml.pool as skactiveml
        from skactiveml.pool._bald import batch_bald
        from small_text.query_strategies import bayesian as small_text
    return SimpleNamespace(
        baal=baal, modal=modal, skactiveml=skactiveml, batch_bald=batch_bald, small_text=small_text
    )


@pytest.fixture(scope="module")
def probs_BMC() -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.dirichlet(np.ones(4) / 2, (200, 6)).clip(1e-4)


def scores_of(name: str, probs_BMC: np.ndarray, **parameters: object) -> np.ndarray:
    window = Window(probs_BMC, np.zeros((len(probs_BMC), 1), np.float32))
    chosen = get_strategy(name, **parameters).select(window, len(window), np.random.default_rng(0))
    scores_B = np.empty(len(window))
    scores_B[chosen.indices] = chosen.scores
    return scores_B


class Learner:
    """A committee of modAL's that gives these probabilities, whatever it is asked."""

    def __init__(self, probs_BMC: np.ndarray) -> None:
        self.probs_BMC, self.classes_ = probs_BMC, np.arange(probs_BMC.shape[2])

    def __len__(self) -> int:
        return self.probs_BMC.shape[1]

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def vote(self, rows: np.ndarray) -> np.ndarray:
        return self.probs_BMC[rows].argmax(axis=2)

    def vote_proba(self, rows: np.ndarray) -> np.ndarray:
        return self.probs_BMC[rows]

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return self.probs_BMC[rows].mean(axis=1)


def test_scikit_activeml_gives_the_same_committee_scores(
    libraries: SimpleNamespace, probs_BMC: np.ndarray
) -> None:
    probs_BMC = probs_BMC / probs_BMC.sum(axis=2, keepdims=True)
    votes_BM = probs_BMC.argmax(axis=2)
    pool = libraries.skactiveml
    vote_entropy = pool.vote_entropy(votes_BM, np.arange(4))
    np.testing.assert_allclose(scores_of("vote_entropy", probs_BMC), vote_entropy, atol=1e-12)
    # Their KL clips probabilities at eps, 1e-7, and makes rows sum to 1 again; ours takes them as they are.
    divergence = pool.average_kl_divergence(probs_BMC.transpose(1, 0, 2).copy(), eps=1e-12)
    np.testing.assert_allclose(scores_of("mean_kl", probs_BMC), divergence, atol=1e-9)
    ratios = pool.variation_ratios(votes_BM)
    np.testing.assert_allclose(scores_of("variation_ratios", probs_BMC), ratios, atol=1e-12)
    # theirs for regressors: the standard deviation of the members' values, divided by M
    values_BM = np.random.default_rng(0).normal(size=(50, 6))
    np.testing.assert_allclose(scores_of("mean_std", values_BM[:, :, None]), values_BM.std(axis=1), atol=1e-9)


def test_modal_gives_the_same_committee_scores(libraries: SimpleNamespace, probs_BMC: np.ndarray) -> None:
    probs_BMC = probs_BMC / probs_BMC.sum(axis=2, keepdims=True)
    learner, rows, modal = Learner(probs_BMC), np.arange(200), libraries.modal
    np.testing.assert_allclose(
        scores_of("vote_entropy", probs_BMC), modal.vote_entropy(learner, rows), atol=1e-9
    )
    consensus = modal.consensus_entropy(learner, rows)
    np.testing.assert_allclose(scores_of("soft_vote_entropy", probs_BMC), consensus, atol=1e-9)
    # Their KL is that of the member farthest from the mean, ours the mean over the members: never above it,
    # and the same where both of two members are as far.
    farthest = modal.KL_max_disagreement(learner, rows)
    assert (scores_of("mean_kl", probs_BMC) <= farthest + 1e-12).all()
    mirrored = np.array([[[0.8, 0.2], [0.2, 0.8]], [[0.7, 0.3], [0.3, 0.7]]])
    both = modal.KL_max_disagreement(Learner(mirrored), np.arange(2))
    np.testing.assert_allclose(scores_of("mean_kl", mirrored), both, atol=1e-9)


def test_baal_gives_the_same_bald_and_variance(libraries: SimpleNamespace, probs_BMC: np.ndarray) -> None:
    probs_BMC = probs_BMC / probs_BMC.sum(axis=2, keepdims=True)
    bald = libraries.baal.BALD().compute_score(probs_BMC.transpose(0, 2, 1))
    np.testing.assert_allclose(scores_of("bald", probs_BMC), bald, atol=1e-9)
    # Their Variance is the mean over the classes of the variance, ours of its root: the same for one class.
    variance = libraries.baal.Variance().get_uncertainties(probs_BMC[:, :, :1].transpose(0, 2, 1))
    np.testing.assert_allclose(scores_of("mean_std", probs_BMC[:, :, :1]) ** 2, variance, atol=1e-9)


def test_baal_gives_the_same_epig(libraries: SimpleNamespace, probs_BMC: np.ndarray) -> None:
    probs_BMC = probs_BMC / probs_BMC.sum(axis=2, keepdims=True)
    pool, targets = probs_BMC[:150], probs_BMC[150:]
    theirs = libraries.baal.EPIG().compute_score(pool.transpose(0, 2, 1), targets.transpose(0, 2, 1))
    # Theirs works in float32, so the fifth digit differs; targets are handed to it, ours are of the window.
    np.testing.assert_allclose(predictive_gain(pool, targets), theirs, atol=2e-5)


def test_small_text_gives_the_same_bald_in_bits(libraries: SimpleNamespace, probs_BMC: np.ndarray) -> None:
    # Theirs takes base-2 logarithms and adds 1e-8 within them; ours are nats.
    probs_BMC = probs_BMC / probs_BMC.sum(axis=2, keepdims=True)
    bits = libraries.small_text._bald(probs_BMC)
    np.testing.assert_allclose(scores_of("bald", probs_BMC), bits * np.log(2), atol=1e-6)


def test_scikit_activeml_chooses_the_same_batch_while_both_are_exact(
    libraries: SimpleNamespace, probs_BMC: np.ndarray
) -> None:
    probs_BMC = probs_BMC / probs_BMC.sum(axis=2, keepdims=True)
    # Their utilities are the information of the whole batch, not what a row adds; they sample beyond
    # n_MC_samples outcomes, ours beyond `outcomes`. Theirs clips at eps = 1e-7.
    theirs: Any = libraries.batch_bald(probs_BMC.transpose(1, 0, 2).copy(), 5, n_MC_samples=4**5)
    window = Window(probs_BMC, np.zeros((200, 1), np.float32))
    ours = get_strategy("batch_bald", outcomes=4**5, least_gain=0.0)
    chosen = ours.select(window, 5, np.random.default_rng(0))
    assert chosen.indices.tolist() == np.nanargmax(theirs, axis=1).tolist()
    np.testing.assert_allclose(np.cumsum(chosen.scores), np.nanmax(theirs, axis=1), atol=1e-5)
    greedy = libraries.batch_bald(probs_BMC.transpose(1, 0, 2).copy(), 1)[0]  # their GreedyBALD
    np.testing.assert_allclose(scores_of("bald", probs_BMC), greedy, atol=1e-5)


def test_baal_begins_a_batch_with_the_same_row(libraries: SimpleNamespace, probs_BMC: np.ndarray) -> None:
    # Theirs samples the outcomes from the second row on, reports log-shifted numbers, and ranks by them,
    # not by the order of choice; so only the first row, that of highest BALD, is sure to be the same.
    probs_BMC = probs_BMC / probs_BMC.sum(axis=2, keepdims=True)
    scores = libraries.baal.BatchBALD(num_samples=3, num_draw=500).compute_score(probs_BMC.transpose(0, 2, 1))
    window = Window(probs_BMC, np.zeros((200, 1), np.float32))
    first = get_strategy("batch_bald").select(window, 3, np.random.default_rng(0)).indices[0]
    assert scores[first] == pytest.approx(scores_of("bald", probs_BMC).max(), abs=1e-9)
