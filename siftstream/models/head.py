"""A linear softmax head: several members share one encoder's embeddings, and one temperature."""

from dataclasses import dataclass
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from siftstream.schemas.errors import ModelError

Floats: TypeAlias = NDArray[np.float32]
_Float = TypeVar("_Float", bound="np.floating[Any]")


def softmax(logits: NDArray[_Float]) -> NDArray[_Float]:
    """Turn logits [..., C] into probabilities along the last axis, without overflow.

    >>> softmax(np.array([0.0, np.log(3.0)], np.float32)).round(4).tolist()
    [0.25, 0.75]
    """
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Head:
    """Members of one linear layer each, over the same embeddings.

    >>> Head.uniform(members=2, dim=3, classes=4).probs(np.ones((1, 3), np.float32))[0, 1].tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    weights_MDC: Floats
    bias_MC: Floats
    temperature: float = 1.0

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
        return self.weights_MDC.shape[1]

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return self.weights_MDC.shape[2]

    def logits(self, emb_BD: NDArray[np.floating]) -> Floats:
        """Return the logits [B, M, C] before the temperature.

        Raises:
            ModelError: embeddings of another size than the head was trained on.
        """
        if emb_BD.ndim != 2 or emb_BD.shape[1] != self.dim:
            raise ModelError(
                f"head: embeddings of shape {list(emb_BD.shape)}, [batch, {self.dim}] expected;"
                " the head belongs to another encoder"
            )
        members, dim, classes = self.weights_MDC.shape
        weights_DMC = self.weights_MDC.transpose(1, 0, 2).reshape(dim, members * classes)
        logits = emb_BD.astype(np.float32, copy=False) @ weights_DMC
        return logits.reshape(-1, members, classes) + self.bias_MC

    def probs(self, emb_BD: NDArray[np.floating]) -> Floats:
        """Return the calibrated probabilities [B, M, C], each row summing to 1."""
        return softmax(self.logits(emb_BD) / np.float32(self.temperature))

    def to_bytes(self) -> bytes:
        """Return the head as safetensors."""
        tensors = {
            "weights": np.ascontiguousarray(self.weights_MDC),
            "bias": np.ascontiguousarray(self.bias_MC),
            "temperature": np.array([self.temperature], np.float64),
        }
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
        return cls(weights, bias, float(temperature[0]))
