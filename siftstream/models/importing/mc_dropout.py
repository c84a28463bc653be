"""Monte-Carlo dropout in a graph (Gal and Ghahramani 2016): dropout layers stay active, unseeded."""

from typing import Any

import numpy as np

from siftstream.models.importing.graph import Graph
from siftstream.schemas.errors import ModelError


def switch(graph: Graph, *, on: bool) -> int:
    """Turn every dropout layer on or off, and return how many of them drop anything."""
    layers = [node for node in graph.nodes if node.op_type == "Dropout"]
    for node in layers:
        inputs = [*node.input, "", ""][:2]
        inputs[1] = inputs[1] or graph.weight(0.5)  # what ONNX takes where nothing is said
        inputs += [_always(graph, node)] if on else []
        del node.input[:]
        node.input.extend(inputs)
        for place, entry in reversed(list(enumerate(node.attribute))):
            if entry.name == "seed":
                del node.attribute[place]  # the same masks in each pass would be one pass
    ratios = [graph.constant(node.input[1]) for node in layers]
    return sum(ratio is None or bool(ratio > 0) for ratio in ratios)


def _always(graph: Graph, layer: Any) -> str:
    """Put what says "training" before a layer: true, in a way that no optimiser sees.

    ONNX Runtime takes dropout out of a graph even where a constant tells it to stay.
    """
    flow = layer.input[0]
    size, active = f"{layer.output[0]}/size", f"{layer.output[0]}/active"
    graph.put_before(
        layer, [("Size", [flow], size, {}), ("Greater", [size, graph.weight(-1, np.int64)], active, {})]
    )
    return active


def require(layers: int) -> None:
    """Refuse a model in which nothing varies.

    Raises:
        ModelError: no dropout layer.
    """
    if not layers:
        raise ModelError(
            "--mc-dropout: no dropout layer with a rate above 0 is in the model, so every pass would say the"
            " same; import it by torch:, or as an ONNX file that was exported in training mode"
        )
