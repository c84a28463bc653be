"""Heads are fitted to their optimum, with the prior that folds find best, and read embeddings as they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.label_savings.head import fitted as in_scipy
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head, softmax
from siftstream.models.spare import spare_encoder
from siftstream.models.training.embedding import embedded
from siftstream.models.training.fit import member_weights
from siftstream.models.training.heads import fit_heads, logits_by_folds
from siftstream.models.training.heads.features import Features
from siftstream.models.training.heads.folds import folds_of
from siftstream.models.training.heads.linear import Regression
from siftstream.models.training.job import Job
from siftstream.models.training.settings import HeadSettings, TrainSettings
from siftstream.schemas import Progress, Slice
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import TrainingError

Emb = NDArray[np.float32]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """As in the child: several threads on such small matrices wait for each other."""
    torch.set_num_threads(1)


Targets = NDArray[np.int64]


def silent(_: Progress) -> None:
    """Nobody listens."""


def settings(**head: object) -> TrainSettings:
    return TrainSettings(mode="head", head=HeadSettings.model_validate(head))


def clouds(count: int, dim: int = 12, classes: int = 3, seed: int = 0) -> tuple[Emb, Targets]:
    """Overlapping clouds far from zero, of different spread in each direction."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, dim))
    targets = rng.integers(0, classes, count)
    spread = np.exp(rng.normal(size=dim))
    emb = (centres[targets] + 1.5 * rng.normal(size=(count, dim))) * spread + 30.0
    return emb.astype(np.float32), targets.astype(np.int64)


def ones(count: int) -> NDArray[np.float32]:
    return np.ones(count, np.float32)


@pytest.mark.parametrize("l2", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("count", [20, 400])
def test_a_linear_head_is_the_logistic_regression_of_scikit_learn(l2: float, count: int):
    emb, targets = clouds(count)
    weights = np.random.default_rng(1).uniform(0.2, 2.0, count).astype(np.float32)
    weights /= weights.mean()
    found = fit_heads(emb, targets, weights, 3, settings(l2=l2), silent)
    scaled = (emb - emb.mean(axis=0)) / emb.std(axis=0)
    theirs = LogisticRegression(C=1.0 / l2, tol=1e-8, max_iter=5000).fit(scaled, targets, weights)
    ours = found.head.probs(emb)[:, 0]
    assert np.abs(ours - theirs.predict_proba(scaled)).max() < 0.01  # our bias has a prior, a weak one
    penalty = l2 / 2 * np.square(found.head.weights_MDC[0].T * emb.std(axis=0)).sum()
    errors = -np.log(ours[np.arange(count), targets])
    assert found.loss == pytest.approx((weights @ errors + penalty) / count, rel=1e-2)


def test_a_linear_head_is_the_one_that_benchmarks_fit_in_scipy():
    emb, targets = clouds(200)
    ours = fit_heads(emb, targets, ones(200), 3, settings(l2=3.0), silent).head.probs(emb)
    assert np.abs(ours - in_scipy(emb, targets, 3, l2=3.0).probs(emb)).max() < 5e-3


def test_a_fit_ends_because_it_is_solved_and_within_tens_of_passes():
    emb, targets = clouds(3000, dim=40)
    regression = Regression(Features(emb), targets, 3)
    found = regression.fit(ones(3000)[:, None], 1.0)
    assert found.solved
    assert found.passes < 60


def test_the_strength_of_the_prior_is_the_one_that_folds_find_best():
    """Few labels, many numbers that each say a little: a weak prior believes some of them too much."""
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 2, 2200)
    emb = rng.normal(size=(2200, 150)).astype(np.float32)
    emb += 0.12 * (2 * targets[:, None] - 1)
    few, rest = slice(0, 200), slice(200, None)

    def accuracy(l2: float | str) -> float:
        found = fit_heads(emb[few], targets[few], ones(200), 2, settings(l2=l2), silent)
        return float((found.head.logits(emb[rest])[:, 0].argmax(1) == targets[rest]).mean())

    assert fit_heads(emb[few], targets[few], ones(200), 2, settings(), silent).l2 >= 30
    assert accuracy("auto") > accuracy(0.1) + 0.015


def test_too_few_labels_to_find_out_take_a_middling_prior():
    emb, targets = clouds(4)
    assert fit_heads(emb, targets, ones(4), 3, settings(), silent).l2 == 10.0


def test_members_are_bootstraps_and_one_member_is_none():
    emb, targets = clouds(200)
    many = TrainSettings(mode="head", members=4, head=HeadSettings(l2=1.0))
    head = fit_heads(emb, targets, ones(200), 3, many, silent).head
    assert head.members == 4
    assert not np.allclose(head.weights_MDC[0], head.weights_MDC[1], rtol=0.05)
    alone = fit_heads(emb, targets, member_weights(ones(200), 4, 0)[:, 2], 3, settings(l2=1.0), silent).head
    assert np.allclose(head.probs(emb)[:, 2], alone.probs(emb)[:, 0], atol=2e-3)


def test_a_label_that_counts_twice_is_two_labels():
    emb, targets = clouds(60)
    regression = Regression(Features(np.tile(emb, (2, 1))), np.tile(targets, 2), 3)
    twice = np.concatenate([2 * ones(20), ones(40), 0 * ones(60)])
    both = np.concatenate([ones(80), 0 * ones(40)])
    a, b = (regression.weights(regression.fit(shares[:, None], 0.1))[0] for shares in (twice, both))
    assert np.allclose(a, b, rtol=1e-2, atol=1e-3)


def test_a_class_without_labels_and_a_number_that_never_changes_do_no_harm():
    emb, targets = clouds(100, classes=2)
    emb[:, 3] = 7.0
    head = fit_heads(emb, targets, ones(100), 4, settings(l2=1.0), silent).head
    assert np.isfinite(head.bias_MC).all()
    assert 0 < head.probs(emb)[:, 0, 2:].max() < 0.01


def test_features_that_memory_does_not_hold_give_the_same_head(tmp_path: Path):
    emb, targets = clouds(500)
    np.save(tmp_path / "emb.npy", emb)
    mapped = np.load(tmp_path / "emb.npy", mmap_mode="r")
    rows = np.arange(500)[::2]
    held = Regression(Features(emb[::2]), targets[::2], 3)
    read = Regression(Features(mapped, rows, held=0), targets[::2], 3)
    shares = ones(250)[:, None]
    assert np.allclose(
        held.weights(held.fit(shares, 1.0))[0], read.weights(read.fit(shares, 1.0))[0], atol=1e-4
    )


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_logits_by_folds_are_of_heads_that_did_not_see_the_label(kind: str):
    emb, targets = clouds(80, dim=100)  # any head can learn these by heart
    targets = np.random.default_rng(5).permutation(targets)
    chosen = settings(kind=kind, hidden=8, l2=1.0)
    by_heart = fit_heads(emb, targets, ones(80), 3, chosen, silent).head.logits(emb)[:, 0]
    unseen = logits_by_folds(emb, targets, ones(80), 3, chosen, 1.0, silent)[:, 0]
    assert (by_heart.argmax(axis=1) == targets).mean() > 0.95
    assert (unseen.argmax(axis=1) == targets).mean() < 0.6


def test_a_hidden_layer_learns_what_no_line_divides():
    rng = np.random.default_rng(0)
    emb = rng.uniform(-1, 1, size=(600, 2)).astype(np.float32) + 5
    targets = ((emb[:, 0] > 5) ^ (emb[:, 1] > 5)).astype(np.int64)
    head = fit_heads(emb, targets, ones(600), 2, settings(kind="mlp", hidden=16, l2=0.1), silent).head
    assert not head.linear
    assert (head.logits(emb)[:, 0].argmax(axis=1) == targets).mean() > 0.93
    assert (fit_heads(emb, targets, ones(600), 2, settings(l2=0.1), silent).head.logits(emb)[:, 0].argmax(1)
            == targets).mean() < 0.7  # fmt: skip


def test_the_strength_of_a_hidden_layers_prior_is_found_in_folds():
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 2, 120)
    emb = rng.normal(size=(120, 60)).astype(np.float32)
    emb[:, 0] += 1.2 * (2 * targets - 1)
    assert fit_heads(emb, targets, ones(120), 2, settings(kind="mlp", hidden=4), silent).l2 >= 10


def test_the_same_labels_make_the_same_head():
    emb, targets = clouds(60)
    a, b = (fit_heads(emb, targets, ones(60), 3, settings(), silent) for _ in range(2))
    assert (a.head.weights_MDC == b.head.weights_MDC).all()


def test_progress_rises_to_the_end_and_tells_the_loss():
    emb, targets = clouds(300)
    told: list[Progress] = []
    found = fit_heads(emb, targets, ones(300), 3, settings(), told.append)
    steps = [progress.step for progress in told]
    assert steps == sorted(steps)
    assert steps[-1] == told[-1].steps
    assert told[-1].loss == pytest.approx(found.loss, rel=1e-3)


def test_an_embedding_that_is_not_finite_is_refused():
    emb, targets = clouds(10)
    emb[3, 3] = np.inf
    with pytest.raises(TrainingError, match="an embedding is not finite; look at the encoder"):
        fit_heads(emb, targets, ones(10), 3, settings(), silent)


def test_each_class_is_dealt_out_evenly_to_the_folds():
    targets = np.random.default_rng(0).choice(4, 203, p=[0.7, 0.2, 0.07, 0.03])
    counts = np.array([np.bincount(folds_of(targets, 1)[targets == c], minlength=5) for c in range(4)])
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 1


def head_job(known: Emb | None, frozen: bytes, rows: NDArray[np.int64] | None, given: int) -> Job:
    inputs = np.random.default_rng(0).integers(0, 255, (given, 1, 8, 8)).astype(np.uint8)
    targets, slices = np.array([0, 1, 0, 1]), (Slice.TRAIN,) * 4
    return Job({"image": inputs}, targets, ones(4), slices, ("a", "b"), settings(), frozen, rows, known)


def test_known_embeddings_are_taken_as_they_are_and_the_others_made(tmp_path: Path):
    frozen = spare_encoder({"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}, 0, 16)
    encoder = Encoder(frozen, providers=("cpu",))
    whole = head_job(None, frozen, None, 4)
    all_made = np.array(embedded(whole, encoder, tmp_path, silent))
    assert np.allclose(all_made, encoder.embed(whole.inputs["image"]), atol=1e-5)
    known = np.full((4, 16), np.nan, np.float32)
    known[[0, 2]] = 5.0
    some = head_job(known, frozen, np.array([3, 1]), 2)
    found = embedded(some, encoder, tmp_path, silent)
    assert (found[[0, 2]] == 5.0).all()
    assert np.allclose(found[[3, 1]], encoder.embed(some.inputs["image"]), atol=1e-5)
    with pytest.raises(TrainingError, match=r"shape \[4, 9\], the encoder makes \[4, 16\]"):
        embedded(head_job(known[:, :9], frozen, np.array([3, 1]), 2), encoder, tmp_path, silent)


def test_a_head_survives_its_file_with_a_hidden_layer():
    emb, targets = clouds(30)
    head = fit_heads(emb, targets, ones(30), 3, settings(kind="mlp", hidden=4, l2=1.0), silent).head
    again = Head.from_bytes(head.to_bytes())
    assert np.allclose(softmax(again.logits(emb)), head.probs(emb), atol=1e-6)
