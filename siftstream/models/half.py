"""Half precision: the same graph computed in float16, and whether its embeddings stay what they were."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from siftstream.schemas import ModelInput
from siftstream.schemas.arrays import Arrays
from siftstream.schemas.errors import ModelError

TOLERANCE: Final = 0.02  # of an embedding's length; rounding through a hundred layers stays below 0.01
_SAMPLES: Final = 8
_FREE_AXIS: Final = 32  # what stands for a size that the graph leaves open


def to_half(onnx: bytes) -> bytes:
    """Return the graph in float16; its inputs and outputs stay as they were.

    Raises:
        ModelError: it cannot be converted.
    """
    from onnx import load_model_from_string  # both cost memory; only who converts pays
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        converted: Any = convert_float_to_float16(load_model_from_string(onnx), keep_io_types=True)
        return converted.SerializeToString()
    except Exception as error:  # of protobuf, shape inference or the converter: no common base
        raise ModelError(f"encoder: cannot be converted to fp16: {str(error)[:300]}") from error


def probe(inputs: Mapping[str, ModelInput], samples: int = _SAMPLES) -> Arrays:
    """Return a batch that any encoder with these inputs should read: noise, and ones for whole numbers.

    Ids and masks are ones, since a table of ids has a second row and a mask of ones hides nothing.
    """
    rng = np.random.Generator(np.random.PCG64(0))
    return {name: _noise(rng, spec, samples) for name, spec in inputs.items()}


def _noise(rng: np.random.Generator, spec: ModelInput, samples: int) -> NDArray[Any]:
    shape, dtype = (samples, *(size or _FREE_AXIS for size in spec.shape)), np.dtype(spec.dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    if dtype.itemsize > 1:
        return np.ones(shape, dtype)
    return rng.integers(0, 128, shape).astype(dtype)


def drift(exact: NDArray[Any], half: NDArray[Any]) -> float:
    """Return how far the embeddings [B, D] moved at most, as a share of the longest exact one.

    >>> drift(np.array([[3.0, 4.0]]), np.array([[3.0, 4.5]]))
    0.1
    >>> drift(np.array([[3.0, 4.0]]), np.array([[3.0, np.nan]]))
    inf
    """
    if exact.shape != half.shape or not np.isfinite(half).all():
        return float("inf")
    longest = np.linalg.norm(exact.astype(np.float64), axis=1).max()
    moved = np.linalg.norm(exact.astype(np.float64) - half.astype(np.float64), axis=1).max()
    return float(moved / longest) if longest else float(moved)
