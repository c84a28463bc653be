"""Opens an encoder's graph in ONNX Runtime: on the best provider, in the best precision, quietly."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from logging import getLogger
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from siftstream.models import providers
from siftstream.models.graph_cache import GraphCache
from siftstream.models.graph_check import check_graph
from siftstream.models.half import TOLERANCE, drift, probe, to_half
from siftstream.models.providers import PROVIDERS, Choice, choose
from siftstream.models.settings import RuntimeSettings
from siftstream.schemas import ModelInput
from siftstream.schemas.errors import ModelError

_DTYPES: Final = {
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
}
_QUIET: Final = 4  # ONNX Runtime's own log: fatal only; every error reaches us as an exception as well
_SHAPES: Final = {"min": 1, "opt": 128, "max": 256}  # batches that one TensorRT engine serves
_WHERE: Final = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : |/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z])"
)
log = getLogger(__name__)


@dataclass(frozen=True)
class Graph:
    """A graph to open, and how."""

    onnx: bytes
    threads: int = 1
    options: tuple[tuple[str, Any], ...] = ()  # of the provider


@dataclass(frozen=True)
class Machine:
    """What a session is opened on; tests make others."""

    lacks: Callable[[str], str | None]  # what is missing for a provider
    open: Callable[[Graph, str], Any]  # a session on a provider, or ModelError
    device: str = "cuda"  # where bound buffers lie, by ONNX Runtime's name


@dataclass(frozen=True)
class Opened:
    """A session, what it runs on and why, and in which precision."""

    session: Any
    choice: Choice
    precision: str  # fp32, fp16 or int8


def open_on(graph: Graph, provider: str) -> Any:
    """Return a session on a provider; without a word on the console where it does not load.

    Raises:
        ModelError: ONNX Runtime cannot load the graph, there or at all.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = graph.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # stages share the cores
    wanted: list[Any] = [(PROVIDERS[provider], dict(graph.options))]
    if provider != "cpu":
        ort.set_default_logger_severity(_QUIET)  # a library that is missing is logged there
        if provider == "tensorrt":
            wanted.append(PROVIDERS["cuda"])  # takes what TensorRT cannot
        wanted.append(PROVIDERS["cpu"])
    try:
        return ort.InferenceSession(graph.onnx, sess_options=options, providers=wanted, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors share no base but Exception
        raise ModelError(f"encoder: ONNX Runtime cannot load it: {first_line(error)}") from error


def open_session(onnx: bytes, settings: RuntimeSettings, machine: Machine) -> Opened:
    """Return a session on the first provider that really runs.

    Raises:
        ModelError: not a graph that ONNX Runtime loads, or that may be loaded, or not on the provider that is
            required.
    """
    check_graph(onnx)
    opening = _Opening(onnx, settings, machine)
    session, choice = choose(settings.providers, opening.on, require=settings.require, lacks=machine.lacks)
    return Opened(session, choice, "fp16" if session is opening.half else opening.made_in(session))


def inputs_of(session: Any) -> dict[str, ModelInput]:
    """Return what a session reads, by name; shapes are those of one sample.

    Raises:
        ModelError: an input that is no batch of numbers.
    """
    return {entry.name: _input_spec(entry) for entry in session.get_inputs()}


def output_of(session: Any) -> Any:
    """Return the output that is the embedding: the one of that name, else the only one.

    Raises:
        ModelError: there are several and none has the name.
    """
    outputs = session.get_outputs()
    names = [entry.name for entry in outputs]
    if "embedding" not in names and len(names) != 1:
        raise ModelError(f"encoder: outputs {', '.join(names)}; name one of them 'embedding'")
    return outputs[names.index("embedding") if "embedding" in names else 0]


def dtype_of(entry: Any) -> np.dtype[Any]:
    """Return the numpy type of an input or output.

    Raises:
        ModelError: it holds no numbers.
    """
    if entry.type not in _DTYPES:
        raise ModelError(f"encoder: {entry.name} is of type {entry.type}; numbers expected")
    return np.dtype(_DTYPES[entry.type])


def first_line(error: Exception) -> str:
    """Return what an error of ONNX Runtime says, without where in its source, and the trace that follows."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return _WHERE.sub("", first)[:300]


class _Opening:
    """Opens one graph on one provider after the other."""

    def __init__(self, onnx: bytes, settings: RuntimeSettings, machine: Machine) -> None:
        self._onnx, self._settings, self._machine = onnx, settings, machine
        self._cache = GraphCache(Path(settings.graph_cache)) if settings.graph_cache else None
        self._int8 = b"DequantizeLinear" in onnx  # the operator's name stands in the file as it is
        self.half: Any = None  # the session, where one runs in half precision

    @cached_property
    def _sha256(self) -> str:
        return hashlib.sha256(self._onnx).hexdigest()

    @cached_property
    def _plain(self) -> Any:
        """The graph as it was made, on the CPU: what it reads, and what it says exactly."""
        return self._open(self._onnx, "cpu")

    def on(self, provider: str) -> Any:
        """Return a session; in half precision where that is wanted and changes nothing."""
        wanted = self._settings.precision == "fp16" or (
            self._settings.precision == "auto" and provider != "cpu"
        )
        if wanted and self.made_in(self._plain) == "fp32":
            try:
                self.half = self._in_half(provider)
                return self.half
            except ModelError as error:
                log.info("the encoder runs in fp32 on %s: %s", provider, error)
        return self._open(self._onnx, provider)

    def made_in(self, session: Any) -> str:
        """Return the precision that the graph was made in."""
        if self._int8:
            return "int8"
        return "fp16" if dtype_of(output_of(session)) == np.float16 else "fp32"

    def _in_half(self, provider: str) -> Any:
        """Return a session in half precision.

        Raises:
            ModelError: it does not open, does not run, or its embeddings are others.
        """
        options = {"trt_fp16_enable": True} if provider == "tensorrt" else {}
        graph = self._onnx if provider == "tensorrt" else self._converted()  # TensorRT converts by itself
        session = self._open(graph, provider, options)
        if session.get_providers()[0] != PROVIDERS[provider]:
            return session  # not chosen: no need to compare
        batch = probe(inputs_of(self._plain))
        try:
            exact, half = (s.run([output_of(s).name], batch)[0] for s in (self._plain, session))
        except Exception as error:  # ONNX Runtime's errors share no base but Exception
            raise ModelError(f"encoder: no run to compare fp16 by: {first_line(error)}") from error
        moved = drift(exact, half)
        if moved > TOLERANCE:
            raise ModelError(f"fp16 moves embeddings by {moved:.1%} of their length, over {TOLERANCE:.0%}")
        return session

    def _converted(self) -> bytes:
        key = f"{self._sha256}-fp16-ort{ort.__version__}-onnx{version('onnx')}"
        kept = self._cache.get(key) if self._cache else None
        if kept is not None:
            return kept
        made = to_half(self._onnx)
        if self._cache:
            self._cache.put(key, made)
        return made

    def _open(self, onnx: bytes, provider: str, options: dict[str, Any] | None = None) -> Any:
        more = dict(options or {})
        if provider == "cuda":  # the default searches for seconds at each new batch size
            more["cudnn_conv_algo_search"] = "HEURISTIC"
        if provider == "tensorrt":
            more |= self._engine_options()
        return self._machine.open(Graph(onnx, self._settings.threads, tuple(more.items())), provider)

    def _engine_options(self) -> dict[str, Any]:
        """Return TensorRT's options: one engine for all batch sizes, kept for the next start."""
        options: dict[str, Any] = {}
        specs = inputs_of(self._plain)
        if all(None not in spec.shape for spec in specs.values()):
            for name, size in _SHAPES.items():
                shapes = ("x".join(map(str, (size, *spec.shape))) for spec in specs.values())
                options[f"trt_profile_{name}_shapes"] = ",".join(
                    f"{key}:{shape}" for key, shape in zip(specs, shapes, strict=True)
                )
        if self._cache and (folder := self._cache.engines()):
            options |= {
                "trt_engine_cache_enable": True, "trt_engine_cache_path": str(folder),
                "trt_engine_cache_prefix": self._sha256[:16],
                "trt_timing_cache_enable": True, "trt_timing_cache_path": str(folder),
            }  # fmt: skip
        return options


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


THIS_MACHINE: Final = Machine(providers.lacks, open_on)
