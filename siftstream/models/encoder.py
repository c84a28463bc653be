"""An encoder: one ONNX graph that turns model-ready inputs into embeddings, in ONNX Runtime."""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from siftstream.models.inputs import paired
from siftstream.models.providers import choose
from siftstream.schemas import ModelInput
from siftstream.schemas.arrays import Arrays
from siftstream.schemas.errors import InferenceError, ModelError

_DTYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}
Inputs: TypeAlias = Arrays | NDArray[Any]

_QUIET = 4  # ONNX Runtime's own log: fatal only; every error reaches us as an exception as well


class Encoder:
    """One ONNX Runtime session; safe to call from several threads.

    The graph takes inputs [batch, ...], normalises them itself, and gives `embedding` [batch, dim] (or its
    only output). Providers are tried best first, where this machine has them.

    Raises:
        ModelError: not an ONNX graph of that form.
    """

    def __init__(self, onnx: bytes, *, threads: int = 1, providers: Sequence[str] | None = None) -> None:
        self.sha256 = hashlib.sha256(onnx).hexdigest()
        self._session = _open(onnx, threads, choose(providers or ("tensorrt", "cuda", "cpu")))
        self.provider: str = self._session.get_providers()[0]
        self.inputs: dict[str, ModelInput] = {
            entry.name: _input_spec(entry) for entry in self._session.get_inputs()
        }
        outputs = self._session.get_outputs()
        names = [entry.name for entry in outputs]
        if "embedding" not in names and len(names) != 1:
            raise ModelError(f"encoder: outputs {', '.join(names)}; name one of them 'embedding'")
        self._output = outputs[names.index("embedding") if "embedding" in names else 0]
        self.dim: int = self._find_dim()

    def _find_dim(self) -> int:
        shape: list[int | str | None] = list(self._output.shape)
        if len(shape) == 2 and isinstance(shape[1], int):
            return shape[1]
        probe = {
            name: np.zeros((1, *(n or 1 for n in spec.shape)), spec.dtype)
            for name, spec in self.inputs.items()
        }
        try:
            found = self._run(probe).shape
        except InferenceError as error:
            raise ModelError(f"encoder: says no embedding size and fails on a probe: {error}") from error
        if len(found) != 2:
            raise ModelError(f"encoder: output of shape {list(found)}; [batch, dim] expected")
        return found[1]

    def embed(self, inputs: Inputs) -> NDArray[np.float32]:
        """Return the embeddings [B, D], float32.

        Args:
            inputs: Arrays [B, ...] by name; a bare array is the only input.

        Raises:
            InferenceError: inputs of another name, shape or type, a failing run, an embedding that is not
                finite.
        """
        arrays = self._checked({"": inputs} if isinstance(inputs, np.ndarray) else inputs)
        size = len(next(iter(arrays.values())))
        if not size:
            return np.zeros((0, self.dim), np.float32)
        emb_BD = self._run(arrays).astype(np.float32, copy=False)
        if emb_BD.shape != (size, self.dim):
            raise InferenceError(
                f"encoder: embeddings of shape {list(emb_BD.shape)} for {size} samples,"
                f" [{size}, {self.dim}] expected"
            )
        if not np.isfinite(emb_BD).all():
            row = int(np.flatnonzero(~np.isfinite(emb_BD).all(axis=1))[0])
            raise InferenceError(f"encoder: the embedding of sample {row} of the batch is not finite")
        return emb_BD

    def _checked(self, given: Arrays) -> dict[str, NDArray[Any]]:
        arrays = paired(self.inputs, given)
        if arrays is None:
            raise InferenceError(
                f"encoder: inputs named {', '.join(given)}, {', '.join(self.inputs)} expected;"
                " the transform and the model do not fit together"
            )
        for name, array in arrays.items():
            spec = self.inputs[name]
            if array.ndim != len(spec.shape) + 1 or not spec.reads(array.shape[1:], spec.dtype):
                raise InferenceError(
                    f"encoder: inputs of shape {list(array.shape[1:])} a sample, "
                    f"{[n or 'any' for n in spec.shape]} expected; the transform and the model do not fit"
                    " together"
                )
            if array.dtype != spec.dtype:
                raise InferenceError(f"encoder: inputs of type {array.dtype}, {spec.dtype} expected")
        return arrays

    def _run(self, inputs: Arrays) -> NDArray[np.floating]:
        try:
            feed = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
            outputs: Any = self._session.run([self._output.name], feed)
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            raise InferenceError(f"encoder: the run failed: {_first_line(error)}") from error
        return outputs[0]


def _input_spec(entry: Any) -> ModelInput:
    if entry.type not in _DTYPES:
        raise ModelError(f"encoder: input {entry.name} of type {entry.type}; numbers expected")
    shape: list[int | str | None] = list(entry.shape)
    if not shape or isinstance(shape[0], int):
        raise ModelError(
            f"encoder: input {entry.name} of shape {shape}; its first axis must be a free batch axis"
        )
    sizes = tuple(n if isinstance(n, int) else None for n in shape[1:])
    return ModelInput(shape=sizes, dtype=np.dtype(_DTYPES[entry.type]).name)


def _open(onnx: bytes, threads: int, providers: list[str]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # stages share the cores
    try:
        return ort.InferenceSession(onnx, sess_options=options, providers=providers)
    except Exception as error:  # ONNX Runtime's errors share no base but Exception
        raise ModelError(f"encoder: ONNX Runtime cannot load it: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
