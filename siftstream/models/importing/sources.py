"""Where a model comes from: a file, a callable, or a name in a library; each becomes plain ONNX."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from siftstream.models.importing.graph import Graph
from siftstream.models.importing.options import InputOption, Options
from siftstream.schemas.arrays import Arrays
from siftstream.schemas.errors import ConfigError, ModelError

Run = Callable[[Arrays], NDArray[Any]]
"""The original on its own inputs [B, ...]: the output that holds what it says."""


@dataclass(frozen=True)
class Plain:
    """A model as it came: its graph, and all that its source knows about it."""

    name: str
    graph: Graph
    words: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    original: Run | None = None
    """None: the graph itself is the original, and nothing was exported."""


@dataclass(frozen=True)
class Module:
    """A torch module of a library, with what the library says of its inputs and outputs."""

    module: Any
    name: str
    words: str
    inputs: tuple[InputOption, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    variadic: bool = False
    """Its `forward` takes `*arrays`."""


LIBRARIES = {
    "torch": "siftstream.models.importing.torch_callable",
    "torchvision": "siftstream.models.importing.torchvision_zoo",
    "timm": "siftstream.models.importing.timm_zoo",
    "hub": "siftstream.models.importing.torch_hub",
    "hf": "siftstream.models.importing.hugging_face",
}
"""Modules by the prefix of a source; each has a function `module(name, options) -> Module`."""


def plain(source: str, options: Options) -> Plain:
    """Return the model that `source` names, as ONNX.

    Raises:
        ConfigError: no such kind of source, or its library is not installed.
        ModelError: it cannot be read or exported.
    """
    if source.partition(":")[0] in LIBRARIES and ":" in source:
        from siftstream.models.importing.export import exported

        return exported(made(source, options), options)
    path = Path(source)
    if path.suffix.lower() != ".onnx":
        raise ConfigError(
            f"{source}: is no model; give a .onnx file, or {', '.join(f'{kind}:NAME' for kind in LIBRARIES)}"
            " (torch:package.module:function)"
        )
    graph = Graph.read(path)
    return Plain(path.stem, graph, f"{path.name}: ONNX, opset {graph.opset}, {len(graph.nodes)} nodes")


def made(source: str, options: Options) -> Module:
    """Return the torch module that `KIND:NAME` names.

    Raises:
        ConfigError: it names none, or its library is not installed.
        ModelError: it cannot be had.
    """
    kind, _, name = source.partition(":")
    if not name:
        raise ConfigError(f"{source}: names no model; write {kind}:NAME")
    return import_module(LIBRARIES[kind]).module(name, options)


def library(package: str, source: str) -> Any:
    """Import what a source needs.

    Raises:
        ConfigError: not installed; the message says what to install.
    """
    try:
        return import_module(package)
    except ImportError as error:
        needs = "'siftstream[import]'" if package in ("torch", "onnxscript") else package.partition(".")[0]
        raise ConfigError(f"{source} needs the package {package}: pip install {needs} ({error})") from error


def load_weights(module: Any, options: Options) -> str:
    """Load `--weights` into a torch module, if they were given, and say so; no pickled code is ever run.

    Raises:
        ModelError: not readable, or of another model.
    """
    if options.weights is None:
        return ""
    path = options.weights
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = library("torch", "--weights").load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(state.get("state_dict", state))
    except Exception as error:  # torch raises many kinds on a file that is not what it should be
        words = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise ModelError(f"--weights {path.name}: do not fit the model or cannot be read: {words}") from error
    return f", weights of {path.name}"
