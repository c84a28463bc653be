"""Which ONNX Runtime execution provider this machine really has, asked without loud failures."""

import ctypes
import functools
from collections.abc import Sequence

import onnxruntime as ort

from siftstream.schemas.errors import ModelError

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}


@functools.cache
def _cuda_device() -> bool:
    """Whether an NVIDIA driver answers with at least one device; the driver's own library is asked."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


@functools.cache
def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


@functools.cache
def available(name: str) -> bool:
    """Whether this machine can run the provider `name` (tensorrt, cuda, cpu).

    >>> available("cpu")
    True
    """
    if PROVIDERS[name] not in ort.get_available_providers():
        return False
    if name == "cpu":
        return True
    return _cuda_device() and (name != "tensorrt" or _loads("libnvinfer.so.10"))


def choose(preference: Sequence[str]) -> list[str]:
    """Return the ONNX Runtime names of the preferred providers that exist here, CPU last in any case.

    >>> choose(["cpu"])
    ['CPUExecutionProvider']

    Raises:
        ModelError: a name that is no provider.
    """
    unknown = [name for name in preference if name not in PROVIDERS]
    if unknown:
        raise ModelError(f"model.providers: {unknown[0]!r} is not one of {', '.join(PROVIDERS)}")
    chosen = [PROVIDERS[name] for name in preference if available(name)]
    if any(name != PROVIDERS["cpu"] for name in chosen):
        ort.preload_dlls()  # CUDA and cuDNN may lie in wheels beside us rather than on the loader's path
    if PROVIDERS["cpu"] not in chosen:
        chosen.append(PROVIDERS["cpu"])
    return chosen
