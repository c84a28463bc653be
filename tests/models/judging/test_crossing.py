"""Cross-fitting: a sample is judged by a calibration without its fold, and so is not flattered."""

from dataclasses import replace

import numpy as np
import pytest

from siftstream.models.calibration import Calibration, crossed, fit_calibration, log_loss
from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.judging.crossing import FOLDS, folds_of, said_of_embeddings, said_of_inputs
from siftstream.models.loaded import LoadedModel
from siftstream.schemas.errors import ModelError

PLAIN = Head(np.eye(2, dtype=np.float32)[None], np.zeros((1, 2), np.float32))
EMB = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)


def test_folds_are_by_id_for_ever_and_about_even() -> None:
    ids = [f"sample-{number}" for number in range(5000)]
    folds = folds_of(ids)
    assert folds_of(ids[::-1]).tolist() == folds[::-1].tolist()
    assert np.bincount(folds).min() > 900
    assert len(np.bincount(folds)) == FOLDS


def test_each_sample_is_answered_by_the_calibration_without_its_fold() -> None:
    others = [Calibration(1.0 + fold, 0.1 * fold) for fold in range(FOLDS)]
    head = crossed(PLAIN, Calibration(2.0, 0.5), others)
    folds = np.arange(40).astype(np.uint8) % FOLDS
    said = said_of_embeddings(head, EMB, folds)
    for row, fold in enumerate(folds):
        expected = others[fold].on(PLAIN).probs(EMB[row : row + 1])
        np.testing.assert_allclose(said[row], expected[0], rtol=1e-5)


def test_a_head_without_crossed_calibrations_answers_as_it_is() -> None:
    head = Calibration(2.0, 0.5).on(PLAIN)
    said = said_of_embeddings(head, EMB, np.zeros(40, np.uint8))
    assert (said == head.probs(EMB)).all()
    assert said_of_embeddings(head, EMB[:0], np.zeros(0, np.uint8)).shape == (0, 1, 2)


def test_a_whole_model_answers_as_its_embeddings_do() -> None:
    encoder = Encoder(spare_cnn((1, 8, 8), dim=4), providers=("cpu",))
    inputs = np.random.default_rng(0).integers(0, 256, (300, 1, 8, 8)).astype(np.uint8)
    weights = np.random.default_rng(1).normal(size=(2, 4, 2)).astype(np.float32)
    head = crossed(
        Head(weights, np.zeros((2, 2), np.float32)), Calibration(), [Calibration(1.0 + f) for f in range(5)]
    )
    model = LoadedModel("v1", ("a", "b"), encoder, head)
    folds = np.random.default_rng(2).integers(5, size=300).astype(np.uint8)
    said = said_of_inputs(model, {"image": inputs}, folds)
    np.testing.assert_allclose(said, said_of_embeddings(head, encoder.embed(inputs), folds), rtol=1e-4)


def test_crossed_calibrations_are_in_the_heads_file() -> None:
    knots = [np.array([[0.0, 0.1], [0.5 + fold / 20, 0.9]], np.float32) for fold in range(FOLDS)]
    knots[2] = np.array([[0.0, 0.2], [0.3, 0.4], [1.0, 0.8]], np.float32)
    others = [Calibration(1.5, 0.2, each) for each in knots]
    head = Head.from_bytes(crossed(PLAIN, Calibration(2.0, 0.5, knots[0]), others).to_bytes())
    for fold in range(FOLDS):
        expected = others[fold].on(PLAIN).probs(EMB)
        np.testing.assert_allclose(head.without(fold).probs(EMB), expected, rtol=1e-5, atol=1e-7)
    assert head.without(0).crossed_F2 is None


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"crossed_F2": np.zeros((5, 2), np.float32)}, "positive temperature"),
        ({"crossed_F2": np.ones((5, 3), np.float32)}, "temperature and shift"),
        (
            {"crossed_F2": np.ones((5, 2), np.float32), "crossed_knots_FK2": np.ones((4, 2, 2), np.float32)},
            "as many crossed knots",
        ),
    ],
)
def test_crossed_calibrations_that_cannot_be_are_refused(broken: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        replace(PLAIN, **broken)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_what_was_calibrated_on_few_samples_is_not_flattered_by_them(method: str) -> None:
    rng = np.random.default_rng(0)
    naive, fair, true = [], [], []
    fresh = rng.integers(2, size=4000)
    fresh_emb = (4 * (rng.normal(size=(4000, 2)) + 1.5 * np.eye(2)[fresh])).astype(np.float32)
    for _ in range(30):
        rows = rng.integers(4000, size=60)
        emb, targets, folds = fresh_emb[rows], fresh[rows], np.arange(60).astype(np.uint8) % FOLDS
        logits = PLAIN.logits(emb)
        final = fit_calibration(method, logits, targets)
        parts = [folds != fold for fold in range(FOLDS)]
        head = crossed(PLAIN, final, [fit_calibration(method, logits[p], targets[p]) for p in parts])
        naive.append(log_loss(head.probs(emb)[:, 0], targets))
        fair.append(log_loss(said_of_embeddings(head, emb, folds)[:, 0], targets))
        true.append(log_loss(head.probs(fresh_emb)[:, 0], fresh))
    assert np.mean(naive) < np.mean(true) - 0.015
    assert abs(np.mean(fair) - np.mean(true)) < abs(np.mean(naive) - np.mean(true))
