"""An encoder: one ONNX graph that turns model-ready inputs into embeddings, in ONNX Runtime."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from siftstream.models.binding import BoundRuns
from siftstream.models.inputs import paired
from siftstream.models.session import (
    THIS_MACHINE,
    Machine,
    dtype_of,
    first_line,
    inputs_of,
    open_session,
    output_of,
)
from siftstream.models.settings import RuntimeSettings
from siftstream.schemas import ModelInput
from siftstream.schemas.arrays import Arrays
from siftstream.schemas.errors import InferenceError, ModelError

Inputs: TypeAlias = Arrays | NDArray[Any]


class Encoder:
    """One ONNX Runtime session; safe to call from several threads.

    The graph takes inputs [batch, ...], normalises them itself, and gives `embedding` [batch, dim] (or its
    only output). Providers are tried best first, where this machine has them.

    Raises:
        ModelError: not an ONNX graph of that form, or not on the provider that is required.
    """

    def __init__(
        self, onnx: bytes, settings: RuntimeSettings | None = None, *, threads: int = 1,
        providers: Sequence[str] | None = None, machine: Machine = THIS_MACHINE,
    ) -> None:  # fmt: skip
        """Args: the graph; how it runs, of which `threads` and `providers` are the short form; where."""
        if settings is None:
            settings = RuntimeSettings(threads=threads)
            if providers is not None:
                settings = settings.model_copy(update={"providers": tuple(providers)})
        self.sha256 = hashlib.sha256(onnx).hexdigest()
        opened = open_session(onnx, settings, machine)
        self._session = opened.session
        self.choice, self.precision, self.threads = opened.choice, opened.precision, settings.threads
        self.inputs: dict[str, ModelInput] = inputs_of(opened.session)
        self._output = output_of(opened.session)
        self._runs: Callable[[Arrays], NDArray[Any]] = self._plain
        self.dim: int = self._find_dim()
        if self.choice.provider != "cpu":
            self._runs = BoundRuns(
                opened.session, self._output.name, (self.dim,), dtype_of(self._output), device=machine.device
            )

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

    def _run(self, inputs: Arrays) -> NDArray[Any]:
        try:
            return self._runs(inputs)
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            raise InferenceError(f"encoder: the run failed: {first_line(error)}") from error

    def _plain(self, inputs: Arrays) -> NDArray[Any]:
        feed = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        return self._session.run([self._output.name], feed)[0]
