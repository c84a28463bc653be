"""A head: softmax without overflow, several members, safetensors there and back, shapes refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from siftstream.models.head import Head, softmax
from siftstream.schemas.errors import ModelError


def random_head(members: int = 3, dim: int = 5, classes: int = 4, temperature: float = 1.5) -> Head:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(members, dim, classes)).astype(np.float32)
    return Head(weights, rng.normal(size=(members, classes)).astype(np.float32), temperature)


def test_softmax_gives_the_golden_numbers() -> None:
    assert softmax(np.array([1.0, 2.0, 3.0])).round(6).tolist() == [0.090031, 0.244728, 0.665241]


def test_softmax_of_huge_logits_does_not_overflow() -> None:
    assert softmax(np.array([1e30, 0.0, -1e30], np.float32)).tolist() == [1.0, 0.0, 0.0]


@given(st.integers(1, 20), st.integers(1, 4))
def test_every_row_of_probabilities_sums_to_one(batch: int, members: int) -> None:
    emb = np.random.default_rng(batch).normal(size=(batch, 5)).astype(np.float32) * 10
    probs = random_head(members).probs(emb)
    assert probs.shape == (batch, members, 4)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs.sum(axis=2), 1.0, atol=1e-5)


def test_each_member_is_its_own_linear_layer() -> None:
    head, emb = random_head(), np.ones((2, 5), np.float32)
    for member in range(3):
        expected = emb @ head.weights_MDC[member] + head.bias_MC[member]
        np.testing.assert_allclose(head.logits(emb)[:, member], expected, rtol=1e-5)


def test_a_higher_temperature_is_less_sure_and_answers_the_same() -> None:
    emb = np.random.default_rng(1).normal(size=(50, 5)).astype(np.float32)
    cold, warm = random_head(temperature=0.5).probs(emb), random_head(temperature=2.0).probs(emb)
    assert (cold.argmax(axis=2) == warm.argmax(axis=2)).all()
    assert (cold.max(axis=2) >= warm.max(axis=2)).all()


def test_half_precision_embeddings_as_scores_carry_them_are_read() -> None:
    assert random_head().probs(np.ones((2, 5), np.float16)).dtype == np.float32


def test_a_head_survives_the_journey_as_safetensors() -> None:
    head = random_head()
    back = Head.from_bytes(head.to_bytes())
    assert (back.weights_MDC == head.weights_MDC).all()
    assert (back.bias_MC == head.bias_MC).all()
    assert back.temperature == head.temperature
    assert back.to_bytes() == head.to_bytes()


@pytest.mark.parametrize(
    ("weights", "bias", "temperature", "reason"),
    [
        (np.zeros((5, 4)), np.zeros((1, 4)), 1.0, r"weights of shape \[5, 4\]"),
        (np.zeros((1, 5, 4)), np.zeros((1, 5)), 1.0, r"bias of shape \[1, 5\]"),
        (np.zeros((1, 0, 4)), np.zeros((1, 4)), 1.0, "weights of shape"),
        (np.full((1, 5, 4), np.nan), np.zeros((1, 4)), 1.0, "not a finite number"),
        (np.zeros((1, 5, 4)), np.zeros((1, 4)), 0.0, "temperature 0.0"),
    ],
)
def test_a_head_of_the_wrong_shape_is_refused(
    weights: np.ndarray, bias: np.ndarray, temperature: float, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        Head(weights.astype(np.float32), bias.astype(np.float32), temperature)


def test_embeddings_of_another_size_are_refused() -> None:
    with pytest.raises(ModelError, match="belongs to another encoder"):
        random_head().probs(np.zeros((2, 6), np.float32))


@pytest.mark.parametrize("data", [b"", b"garbage bytes", b"\x80\x04pickle", random_head().to_bytes()[:40]])
def test_bytes_that_are_no_head_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="not a safetensors file"):
        Head.from_bytes(data)


def test_other_safetensors_are_refused_by_the_missing_name() -> None:
    with pytest.raises(ModelError, match="no tensor named 'weights'"):
        Head.from_bytes(save({"other": np.zeros(1, np.float32)}))
