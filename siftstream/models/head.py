"""A softmax head: several members share one encoder's embeddings, and one calibration."""

from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from siftstream.schemas.errors import ModelError

Floats: TypeAlias = NDArray[np.float32]
_Float = TypeVar("_Float", bound="np.floating[Any]")
_OPTIONAL = ("hidden.weights", "hidden.bias", "isotonic", "crossed", "crossed.isotonic")


def softmax(logits: NDArray[_Float]) -> NDArray[_Float]:
    """Turn logits [..., C] into probabilities along the last axis, without overflow.

    >>> softmax(np.array([0.0, np.log(3.0)], np.float32)).round(4).tolist()
    [0.25, 0.75]
    """
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Head:
    """Members over the same embeddings: a linear layer each, or a hidden layer (ReLU) and a linear one.

    >>> Head.uniform(members=2, dim=3, classes=4).probs(np.ones((1, 3), np.float32))[0, 1].tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    weights_MDC: Floats
    """Of the last layer; behind a hidden layer its inputs are the hidden units, H."""
    bias_MC: Floats
    temperature: float = 1.0
    hidden_MDH: Floats | None = None
    hidden_bias_MH: Floats | None = None
    knots_K2: Floats | None = None
    """Isotonic calibration of two classes: probabilities of the second one, rising, and what they mean."""
    crossed_F2: Floats | None = None
    """Temperature, and shift of the second class, of F calibrations, each without one fold of the held-out
    samples: what judges the head on that fold has not seen it."""
    crossed_knots_FK2: Floats | None = None

    def __post_init__(self) -> None:
        weights, bias = self.weights_MDC, self.bias_MC
        if weights.ndim != 3 or 0 in weights.shape:
            raise ModelError(f"head: weights of shape {list(weights.shape)}, not [members, dim, classes]")
        if bias.shape != (weights.shape[0], weights.shape[2]):
            raise ModelError(
                f"head: bias of shape {list(bias.shape)} does not fit weights of shape {list(weights.shape)};"
                " it must be [members, classes]"
            )
        if weights.dtype != np.float32 or bias.dtype != np.float32:
            raise ModelError(f"head: weights {weights.dtype} and bias {bias.dtype}, float32 expected")
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise ModelError("head: a weight that is not a finite number; train again")
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise ModelError(f"head: temperature {self.temperature}, a positive number expected")
        _check_hidden(self.hidden_MDH, self.hidden_bias_MH, weights)
        _check_knots(self.knots_K2, self.classes)
        _check_crossed(self.crossed_F2, self.crossed_knots_FK2, self.classes)

    @classmethod
    def uniform(cls, members: int, dim: int, classes: int) -> Self:
        """Return the head that knows nothing: every class equally likely."""
        return cls(np.zeros((members, dim, classes), np.float32), np.zeros((members, classes), np.float32))

    @property
    def members(self) -> int:
        """Number of members, M."""
        return self.weights_MDC.shape[0]

    @property
    def dim(self) -> int:
        """Embedding size that the head reads, D."""
        return (self.weights_MDC if self.hidden_MDH is None else self.hidden_MDH).shape[1]

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return self.weights_MDC.shape[2]

    @property
    def linear(self) -> bool:
        """Whether the logits are linear in the embeddings."""
        return self.hidden_MDH is None

    def without(self, fold: int) -> Self:
        """Return the head as calibrated without this fold; the head itself, where it has no such calibration.

        >>> head = Head.uniform(1, 3, 2)
        >>> crossed = replace(head, crossed_F2=np.array([[2.0, 0.5], [3.0, 0.0]], np.float32))
        >>> crossed.without(0).temperature, crossed.without(0).bias_MC.tolist(), head.without(0) is head
        (2.0, [[0.0, 0.5]], True)
        """
        if self.crossed_F2 is None:
            return self
        temperature, shift = self.crossed_F2[fold]
        bias_MC = self.bias_MC.copy()
        bias_MC[:, 1] += shift
        knots = self.crossed_knots_FK2
        return replace(
            self, bias_MC=bias_MC, temperature=float(temperature),
            knots_K2=None if knots is None else knots[fold], crossed_F2=None, crossed_knots_FK2=None,
        )  # fmt: skip

    def logits(self, emb_BD: NDArray[np.floating]) -> Floats:
        """Return the logits [B, M, C] before the calibration.

        Raises:
            ModelError: embeddings of another size than the head was trained on.
        """
        if emb_BD.ndim != 2 or emb_BD.shape[1] != self.dim:
            raise ModelError(
                f"head: embeddings of shape {list(emb_BD.shape)}, [batch, {self.dim}] expected;"
                " the head belongs to another encoder"
            )
        emb = emb_BD.astype(np.float32, copy=False)
        if self.hidden_MDH is None or self.hidden_bias_MH is None:
            return _one_product(emb, self.weights_MDC) + self.bias_MC
        units_BMH = np.maximum(_one_product(emb, self.hidden_MDH) + self.hidden_bias_MH, 0.0)
        return np.einsum("bmh,mhc->bmc", units_BMH, self.weights_MDC) + self.bias_MC

    def probs(self, emb_BD: NDArray[np.floating]) -> Floats:
        """Return the calibrated probabilities [B, M, C], each row summing to 1."""
        return self.calibrated(self.logits(emb_BD))

    def calibrated(self, logits_BMC: Floats) -> Floats:
        """Return what logits mean as probabilities [B, M, C]."""
        probs_BMC = softmax(logits_BMC / np.float32(self.temperature))
        if self.knots_K2 is None:
            return probs_BMC
        second_BM = np.interp(probs_BMC[..., 1], self.knots_K2[:, 0], self.knots_K2[:, 1])
        return np.stack([1.0 - second_BM, second_BM], axis=-1).astype(np.float32)

    def to_bytes(self) -> bytes:
        """Return the head as safetensors."""
        tensors: dict[str, NDArray[Any]] = {
            "weights": np.ascontiguousarray(self.weights_MDC),
            "bias": np.ascontiguousarray(self.bias_MC),
            "temperature": np.array([self.temperature], np.float64),
        }
        optional = (
            self.hidden_MDH, self.hidden_bias_MH, self.knots_K2, self.crossed_F2, self.crossed_knots_FK2
        )  # fmt: skip
        for name, array in zip(_OPTIONAL, optional, strict=True):
            if array is not None:
                tensors[name] = np.ascontiguousarray(array)
        return save(tensors)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a head.

        Raises:
            ModelError: not safetensors, or not the tensors of a head.
        """
        try:
            tensors = load(data)
            weights, bias, temperature = (tensors[name] for name in ("weights", "bias", "temperature"))
        except (SafetensorError, ValueError, TypeError) as error:
            raise ModelError(f"head: not a safetensors file: {error}") from error
        except KeyError as error:
            raise ModelError(
                f"head: no tensor named {error} in the file; weights, bias, temperature expected"
            ) from error
        if temperature.shape != (1,):
            raise ModelError(f"head: temperature of shape {list(temperature.shape)}, one number expected")
        return cls(weights, bias, float(temperature[0]), *(tensors.get(name) for name in _OPTIONAL))


def _one_product(emb_BD: Floats, weights_MDX: Floats) -> Floats:
    """Multiply with all members' weights at once: one matrix product [B, M, X]."""
    members, dim, width = weights_MDX.shape
    return (emb_BD @ weights_MDX.transpose(1, 0, 2).reshape(dim, members * width)).reshape(-1, members, width)


def _check_hidden(hidden: Floats | None, bias: Floats | None, weights: Floats) -> None:
    if hidden is None and bias is None:
        return
    if hidden is None or bias is None or hidden.ndim != 3 or 0 in hidden.shape:
        raise ModelError("head: a hidden layer needs weights [members, dim, hidden] and a bias")
    if (hidden.shape[0], hidden.shape[2]) != weights.shape[:2] or bias.shape != weights.shape[:2]:
        raise ModelError(
            f"head: a hidden layer of shape {list(hidden.shape)} does not fit weights {list(weights.shape)}"
        )
    if not (
        hidden.dtype == bias.dtype == np.float32 and np.isfinite(hidden).all() and np.isfinite(bias).all()
    ):
        raise ModelError("head: a hidden layer that is not of finite float32 numbers; train again")


def _check_knots(knots: Floats | None, classes: int) -> None:
    if knots is None:
        return
    fits = knots.ndim == 2 and knots.shape[1:] == (2,) and len(knots) > 1 and knots.dtype == np.float32
    if not fits or classes != 2:
        raise ModelError("head: isotonic knots are [at least 2, 2] float32, and for two classes")
    if not (
        np.isfinite(knots).all()
        and knots.min() >= 0
        and knots.max() <= 1
        and (np.diff(knots, axis=0) >= 0).all()
    ):
        raise ModelError("head: isotonic knots must be probabilities that never fall")


def _check_crossed(crossed: Floats | None, knots: Floats | None, classes: int) -> None:
    if crossed is None and knots is None:
        return
    if crossed is None or crossed.ndim != 2 or crossed.shape[1] != 2 or crossed.dtype != np.float32:
        raise ModelError("head: crossed calibrations are [folds, 2] float32: temperature and shift")
    if not (np.isfinite(crossed).all() and (crossed[:, 0] > 0).all()):
        raise ModelError("head: a crossed calibration without a positive temperature; train again")
    if knots is not None and len(knots) != len(crossed):
        raise ModelError("head: as many crossed knots as crossed calibrations expected")
    for each in () if knots is None else knots:
        _check_knots(each, classes)
