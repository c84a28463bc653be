"""Page-locked host memory: arrays that the GPU reads itself, without the driver's staging copy."""

import ctypes
import functools
import weakref
from collections.abc import Callable
from logging import getLogger
from typing import Any, Protocol

import onnxruntime as ort
from numpy.typing import NDArray

log = getLogger(__name__)


class CudaRuntime(Protocol):
    """The two calls of the CUDA runtime that are needed; 0 is success."""

    cudaHostRegister: Callable[[ctypes.c_void_p, ctypes.c_size_t, int], int]
    cudaHostUnregister: Callable[[ctypes.c_void_p], int]


@functools.cache
def cuda_runtime() -> CudaRuntime | None:
    """Return the CUDA runtime that ONNX Runtime was built for, where it is there."""
    major = str(getattr(ort, "cuda_version", "")).split(".")[0]
    try:
        library: Any = ctypes.CDLL(f"libcudart.so.{major}")
    except OSError:
        return None
    return library


class Pinned:
    """An array whose pages are locked while this object lives; an ordinary array where that is not possible.

    >>> import numpy as np
    >>> Pinned(np.zeros(4, np.uint8), None).locked
    False
    """

    def __init__(self, array: NDArray[Any], runtime: CudaRuntime | None) -> None:
        self.array = array
        self.locked = bool(
            runtime is not None
            and array.nbytes
            and not runtime.cudaHostRegister(_address(array), ctypes.c_size_t(array.nbytes), 0)
        )
        if runtime is not None and self.locked:  # the finalizer holds the array: unlocked, then freed
            weakref.finalize(self, _unlock, runtime, array)


def _unlock(runtime: CudaRuntime, array: NDArray[Any]) -> None:
    if status := runtime.cudaHostUnregister(_address(array)):
        log.debug("cudaHostUnregister answered %d", status)


def _address(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
