"""IO binding: runs of an ONNX Runtime session through buffers that stay on the device between runs."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from siftstream.models.pinned import Pinned, cuda_runtime
from siftstream.schemas.arrays import Arrays

SHAPES: Final = 8  # batch shapes whose buffers a thread keeps
Shapes = tuple[tuple[str, tuple[int, ...]], ...]


class BoundRuns:
    """Runs a session with buffers of their own for each thread and batch shape, the last few of them.

    Arrays are copied into page-locked memory, from there to the device, and the answer straight back: no
    allocation a run, no copy that the driver must stage.
    """

    def __init__(
        self, session: Any, output: str, row: Sequence[int], dtype: np.dtype[Any], *,
        device: str = "cuda",
    ) -> None:  # fmt: skip
        """Args: the session; its output, the shape and type of a row; the device by ONNX Runtime's name."""
        self._session, self._output = session, output
        self._row, self._dtype = tuple(row), dtype
        self._device = device
        self._cuda = cuda_runtime() if device == "cuda" else None
        self._local = threading.local()

    def __call__(self, inputs: Arrays) -> NDArray[Any]:
        """Return the output of a batch, in an array of its own."""
        known: OrderedDict[Shapes, _Buffers] | None = getattr(self._local, "known", None)
        if known is None:
            known = self._local.known = OrderedDict()
        shapes = tuple((name, array.shape) for name, array in inputs.items())
        if shapes not in known:
            known[shapes] = self._buffers(inputs)
            if len(known) > SHAPES:
                known.popitem(last=False)
        known.move_to_end(shapes)
        return known[shapes].run(self._session, inputs)

    def _buffers(self, inputs: Arrays) -> "_Buffers":
        size = len(next(iter(inputs.values())))
        buffers = _Buffers(self._session.io_binding())
        for name, array in inputs.items():
            there = _on_device(array.shape, array.dtype, self._device)
            buffers.inputs[name] = (Pinned(np.empty(array.shape, array.dtype), self._cuda), there)
            buffers.binding.bind_ortvalue_input(name, there)
        buffers.output = _on_device((size, *self._row), self._dtype, self._device)
        buffers.binding.bind_ortvalue_output(self._output, buffers.output)
        return buffers


class _Buffers:
    """The bound arrays of one batch shape."""

    def __init__(self, binding: Any) -> None:
        self.binding = binding
        self.inputs: dict[str, tuple[Pinned, Any]] = {}
        self.output: Any = None

    def run(self, session: Any, inputs: Arrays) -> NDArray[Any]:
        for name, array in inputs.items():
            here, there = self.inputs[name]
            np.copyto(here.array, array)
            there.update_inplace(here.array)
        session.run_with_iobinding(self.binding)
        return np.array(self.output.numpy())  # the buffer is written again by the next run


def _on_device(shape: Sequence[int], dtype: np.dtype[Any], device: str) -> Any:
    return ort.OrtValue.ortvalue_from_shape_and_type(list(shape), dtype.type, device, 0)
