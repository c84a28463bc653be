"""A warm start takes the live version's weights where they fit, and says what came of it."""

from pathlib import Path

import pytest
import torch
from safetensors.numpy import load, save

from siftstream.models.training.fit import fresh_heads
from siftstream.models.training.full import Full, train_full
from siftstream.models.training.full.built_in import BuiltIn
from siftstream.models.training.full.warm_start import HEADS, begin_with, weights_file
from siftstream.models.training.job import TENSORS
from tests.models.training.pictures import SHAPE, bars, job, settings


def heads(dim: int = 8, members: int = 1) -> list[torch.Tensor]:
    return fresh_heads(members, dim, 2, torch.device("cpu"))


def accuracy(full: Full) -> float:
    inputs, targets = bars(200, seed=9)
    return float((full.fitted.head.probs(full.encoder.embed(inputs)).mean(1).argmax(1) == targets).mean())


def test_a_warm_run_needs_few_steps_to_be_as_good_as_the_live_version(tmp_path: Path) -> None:
    train_full(job(settings()), tmp_path, lambda _: None)
    few = settings(seed=5, epochs=1, min_steps=2)
    warm = train_full(job(few, start=(tmp_path / TENSORS).read_bytes()), tmp_path, lambda _: None)
    fresh = train_full(job(few), tmp_path, lambda _: None)
    assert warm.notes[0] == "warm start: with the live version's encoder and heads"
    assert accuracy(warm) > 0.95
    assert accuracy(fresh) < 0.8


def test_weights_and_heads_come_back_as_they_were() -> None:
    one, other = (BuiltIn("image", SHAPE, 8, seed) for seed in (1, 2))
    given, taken = heads(), heads()
    with torch.no_grad():
        given[0] += 3.0
    begin_with(weights_file(one, given), other, taken)
    assert all((other.tensors()[name] == array).all() for name, array in one.tensors().items())
    assert taken[0].equal(given[0])


def test_heads_of_other_members_begin_fresh_on_the_live_encoder() -> None:
    one, other = (BuiltIn("image", SHAPE, 8, seed) for seed in (1, 2))
    said = begin_with(weights_file(one, heads()), other, heads(members=3))
    assert said == "warm start: with the live version's encoder, its heads are of other classes or members"
    assert (other.tensors()["embed.weight"] == one.tensors()["embed.weight"]).all()


@pytest.mark.parametrize(
    ("dim", "drop", "said"),
    [
        (16, "", r"do not fit \(embed.bias is \(16,\), \(8,\) wanted\), so it begins fresh"),
        (8, "embed.bias", r"do not fit \(embed.bias is missing\)"),
    ],
)
def test_what_does_not_fit_begins_fresh(dim: int, drop: str, said: str) -> None:
    live, learner = BuiltIn("image", SHAPE, dim, 1), BuiltIn("image", SHAPE, 8, 2)
    tensors = load(weights_file(live, heads(dim)))
    tensors.pop(drop, None)
    before, ours = learner.tensors(), heads()
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(begin_with(save(tensors), learner, ours))
    assert all((learner.tensors()[name] == array).all() for name, array in before.items())
    assert not ours[0].any()


def test_a_broken_file_begins_fresh() -> None:
    said = begin_with(b"nothing", BuiltIn("image", SHAPE, 8, 1), heads())
    assert "cannot be read" in said
    assert "so it begins fresh" in said


def test_the_heads_lie_beside_the_encoders_own_names() -> None:
    assert set(HEADS) < set(load(weights_file(BuiltIn("image", SHAPE, 8, 1), heads())))
