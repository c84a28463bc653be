"""A warm start: the live version's weights, where they fit."""

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor

from siftstream.models.training.full.learner import Learner
from siftstream.schemas.arrays import Arrays

HEADS = ("siftstream.heads.weights", "siftstream.heads.bias")  # beside the encoder's own names


def weights_file(learner: Learner, heads: list[Tensor]) -> bytes:
    """Return the encoder's and the heads' weights as safetensors."""
    ours = {name: tensor.detach().cpu().numpy() for name, tensor in zip(HEADS, heads, strict=True)}
    return save({**learner.tensors(), **ours})


def begin_with(start: bytes, learner: Learner, heads: list[Tensor]) -> str:
    """Put the weights of a file into encoder and heads, and say in a sentence what came of it.

    An encoder of other names or shapes begins fresh, and so do heads of other classes or members.
    """
    try:
        found = load(start)
    except SafetensorError as error:
        return f"warm start: the live version's weights cannot be read ({error}), so it begins fresh"
    given = {name: array for name, array in found.items() if name not in HEADS}
    misfit = _misfit(given, learner.tensors())
    if misfit:
        return f"warm start: the live version's weights do not fit ({misfit}), so it begins fresh"
    learner.take(given)
    wanted = {name: tensor.detach().cpu().numpy() for name, tensor in zip(HEADS, heads, strict=True)}
    if _misfit({name: found[name] for name in HEADS if name in found}, wanted):
        return "warm start: with the live version's encoder, its heads are of other classes or members"
    with torch.no_grad():
        for name, tensor in zip(HEADS, heads, strict=True):
            tensor.copy_(torch.from_numpy(found[name]))
    return "warm start: with the live version's encoder and heads"


def _misfit(given: Arrays, wanted: Arrays) -> str:
    """Return where names or shapes of two sets of arrays first differ, nothing where they are the same."""
    for name in sorted({*given, *wanted}):
        if name not in wanted:
            return f"{name} is not of this encoder"
        if name not in given:
            return f"{name} is missing"
        if np.shape(given[name]) != np.shape(wanted[name]):
            return f"{name} is {np.shape(given[name])}, {np.shape(wanted[name])} wanted"
    return ""
