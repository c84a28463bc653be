"""Which ONNX Runtime execution provider really runs here: the first that loads, without loud failures."""

import contextlib
import ctypes
import functools
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from logging import getLogger
from pathlib import Path
from typing import Protocol, TypeVar

import onnxruntime as ort

from siftstream.schemas.errors import ModelError

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
TENSORRT_LIBRARIES = ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10")
log = getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """The provider that runs, and why it is this one.

    >>> str(Choice("cpu", "cuda has no device"))
    'cpu: cuda has no device'
    """

    provider: str  # tensorrt, cuda or cpu
    why: str

    def __str__(self) -> str:
        """The choice as one sentence."""
        return f"{self.provider}: {self.why}"


class Opened(Protocol):
    """What is asked of a session: the providers that it runs on, best first."""

    def get_providers(self) -> Sequence[str]:
        """Return ONNX Runtime's names of them."""
        ...


S = TypeVar("S", bound=Opened)


def lacks(name: str) -> str | None:
    """Return what this machine lacks to run the provider `name`; None where nothing is known to be missing.

    >>> lacks("cpu") is None
    True
    """
    if PROVIDERS[name] not in ort.get_available_providers():
        return "is not in this build of ONNX Runtime"
    if name == "cpu":
        return None
    if not _cuda_device():
        return "has no device"
    preload()
    if name == "tensorrt" and not _loads(TENSORRT_LIBRARIES[0]):
        return f"has no {TENSORRT_LIBRARIES[0]}"
    return None


def choose(
    preference: Sequence[str],
    opens: Callable[[str], S],
    *,
    require: str | None = None,
    lacks: Callable[[str], str | None] = lacks,
) -> tuple[S, Choice]:
    """Return a session on the first provider that really runs, CPU last in any case, and the choice.

    Args:
        preference: tensorrt, cuda, cpu, best first.
        opens: Opens a session on a provider; what it opens counts only where it reports that provider, since
            ONNX Runtime falls back to the CPU in silence.
        require: The only provider that will do.
        lacks: What the machine lacks for a provider.

    Raises:
        ModelError: a name that is no provider, nothing that runs where one is required, or a graph that not
            even the CPU opens.
    """
    unknown = [name for name in preference if name not in PROVIDERS]
    if unknown:
        raise ModelError(f"model.providers: {unknown[0]!r} is not one of {', '.join(PROVIDERS)}")
    reasons: list[str] = []
    for name in [require] if require else dict.fromkeys((*preference, "cpu")):
        if reason := lacks(name):
            reasons.append(f"{name} {reason}")
            continue
        try:
            session = opens(name)
        except ModelError as error:
            if name == "cpu":  # the graph's own fault
                raise
            reasons.append(f"{name} failed ({error})")
            continue
        if session.get_providers()[0] == PROVIDERS[name]:
            return session, Choice(name, ", ".join(reasons) or "the first asked for")
        reasons.append(f"{name} {_missing_library(name)}")
    raise ModelError(
        f"model.require: {require} does not run here ({', '.join(reasons)}); install what is missing"
        " or take the setting away"
    )


@functools.cache
def preload() -> None:
    """Load CUDA, cuDNN and TensorRT from the Python packages that bring them, where they are installed."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):  # it prints what it does not find
        ort.preload_dlls()
    if said.getvalue():
        log.debug("ONNX Runtime on its libraries: %s", said.getvalue().strip())
    for folder in _folders_of("tensorrt_libs"):
        for library in TENSORRT_LIBRARIES:
            with contextlib.suppress(OSError):
                ctypes.CDLL(str(folder / library), mode=ctypes.RTLD_GLOBAL)


@functools.cache
def _cuda_device() -> bool:
    """Whether an NVIDIA driver answers with at least one device; the driver's own library is asked."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _missing_library(name: str) -> str:
    """Say which library a provider did not find; ONNX Runtime says it only in its log, which is off."""
    for folder in _folders_of("onnxruntime"):
        try:
            ctypes.CDLL(str(folder / "capi" / f"libonnxruntime_providers_{name}.so"))
        except OSError as error:
            if found := re.match(r"(\S+): cannot open shared object file", str(error)):
                return f"has no {Path(found[1]).name}"
    return "did not load"


def _folders_of(package: str) -> list[Path]:
    spec = find_spec(package)
    return [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
