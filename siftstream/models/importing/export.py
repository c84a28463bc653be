"""A torch module to plain ONNX, with a free batch axis; only the import tools import torch."""

import contextlib
import logging
import sys
import time
import warnings
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.models.importing.graph import Graph
from siftstream.models.importing.options import InputOption, Options
from siftstream.models.importing.sources import Module, Plain, library
from siftstream.schemas.arrays import Arrays
from siftstream.schemas.errors import ModelError

OUTPUT = "answer"
_LENGTH = 16  # of a free axis in the example; the exporter sees through 0 and 1


def exported(made: Module, options: Options) -> Plain:
    """Export the module; with Monte-Carlo dropout its dropout layers stay in the graph.

    Raises:
        ConfigError: onnxscript is not installed.
        ModelError: the exporter does not understand the module, or the module fails on an example.
    """
    torch = library("torch", made.name)
    library("onnxscript", made.name)
    module = made.module.eval().to("cpu")
    example = tuple(torch.from_numpy(_example(entry)) for entry in made.inputs)
    began = time.monotonic()
    _dropouts(torch, module, active=options.passes > 1)
    with _quietly(torch), torch.no_grad():
        try:
            program = torch.onnx.export(
                module, example, dynamo=True, verbose=False, opset_version=options.opset,
                input_names=[entry.name for entry in made.inputs], output_names=[OUTPUT],
                dynamic_shapes=_free_axes(torch, made), external_data=False,
            )  # fmt: skip
            data = _plain(program.model_proto).SerializeToString(deterministic=True)
        except Exception as error:  # the exporter's errors, and the module's own
            words = (" ".join(str(error).split()) or type(error).__name__)[:300]
            raise ModelError(f"{made.name}: torch cannot export it: {words}") from error
    _dropouts(torch, module, active=False)

    def original(arrays: Arrays) -> NDArray[Any]:
        feed = [torch.from_numpy(np.ascontiguousarray(arrays[entry.name])) for entry in made.inputs]
        with torch.no_grad():
            return np.asarray(module(*feed).float())

    words = f"{made.words}: exported in {time.monotonic() - began:.1f} s, opset {options.opset}"
    return Plain(made.name, Graph.read(data), words, made.mean, made.std, made.classes, original)


def _plain(model: Any) -> Any:
    """Drop what the exporter notes for developers: lines of code with their folders."""
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer,
                 *model.graph.input, *model.graph.output):  # fmt: skip
        del part.metadata_props[:]
        part.doc_string = ""
    return model


def _example(entry: InputOption) -> NDArray[Any]:
    shape = (2, *(n or _LENGTH for n in entry.shape))
    return np.ones(shape, entry.dtype)


def _free_axes(torch: Any, made: Module) -> Any:
    """Say which axes are free: AUTO lets the exporter fix one that the module's code fixes."""
    auto = torch.export.Dim.AUTO
    axes = tuple(
        {0: auto} | {place + 1: auto for place, n in enumerate(entry.shape) if n is None}
        for entry in made.inputs
    )
    return (axes,) if made.variadic else axes  # *arrays counts as one argument


def _dropouts(torch: Any, module: Any, *, active: bool) -> None:
    for layer in module.modules():
        if isinstance(layer, torch.nn.modules.dropout._DropoutNd):
            layer.train(active)
            layer.inplace = False  # the exporter takes dropout in place apart into random numbers


@contextlib.contextmanager
def _quietly(torch: Any) -> Generator[None]:
    """Keep the exporter's advice to developers from users, and its progress bars from starting a thread."""
    bars = getattr(sys.modules.get("tqdm"), "tqdm", None)  # torch shows them only where tqdm is installed
    interval = getattr(bars, "monitor_interval", 0)
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    if bars is not None:
        bars.monitor_interval = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
        if bars is not None:
            bars.monitor_interval = interval
