"""Normalisation in the graph: images come in as uint8, as the image transform makes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from siftstream.models.importing.graph import BATCH, Graph
from siftstream.schemas.arrays import Arrays
from siftstream.schemas.errors import ConfigError

_CHANNELS = (1, 3)
_FLOATS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}


@dataclass(frozen=True)
class Normalised:
    """What was put before an image input, and how the original's own input comes from the new one."""

    words: str
    to_original: Callable[[Arrays], dict[str, NDArray[Any]]]


def image_input(graph: Graph) -> tuple[str, bool] | None:
    """Return the name of the only input that is an image of floats, and whether its channels come last."""
    found = [(name, spec.shape) for name, spec in graph.inputs.items() if spec.dtype in _FLOATS]
    if len(graph.inputs) != 1 or not found or len(found[0][1]) != 3:
        return None
    name, shape = found[0]
    if shape[0] in _CHANNELS:
        return name, False
    return (name, True) if shape[2] in _CHANNELS else None


def normalise(graph: Graph, mean: tuple[float, ...], std: tuple[float, ...]) -> Normalised | None:
    """Put (pixel / 255 - mean) / std before the image input, uint8 [channels, height, width] from now on.

    Nothing is done to a model without an image input. Without a mean and std pixels become 0..1.

    Raises:
        ConfigError: mean and std do not fit the channels.
    """
    found = image_input(graph)
    if found is None:
        return None
    name, channels_last = found
    spec = graph.inputs[name]
    channels = spec.shape[2] if channels_last else spec.shape[0]
    mean_C, std_C = per_channel(mean, std, channels or 0)
    _insert(graph, name, channels_last, mean_C, std_C)

    def to_original(arrays: Arrays) -> dict[str, NDArray[Any]]:
        pixels = next(iter(arrays.values())).astype(np.float32)
        flow = (pixels / 255 - mean_C[:, None, None]) / std_C[:, None, None]
        flow = flow.transpose(0, 2, 3, 1) if channels_last else flow
        return {name: np.ascontiguousarray(flow, dtype=spec.dtype)}

    how = f"(pixel / 255 - {_told(mean_C)}) / {_told(std_C)}" if mean or std else "pixel / 255"
    turned = ", channels moved last for the model" if channels_last else ""
    return Normalised(f"{name} is uint8 now, normalised in the graph: {how}{turned}", to_original)


def per_channel(
    mean: tuple[float, ...], std: tuple[float, ...], channels: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of each channel's pixels / 255; without any, 0 and 1.

    Raises:
        ConfigError: mean and std do not fit the channels.
    """
    mean_C = _channels("mean", mean or (0.0,), channels)
    std_C = _channels("std", std or (1.0,), channels)
    if not (std_C > 0).all():
        raise ConfigError("--std: must be positive numbers, of pixels scaled to 0..1")
    return mean_C, std_C


def scale_and_shift(
    mean_C: NDArray[np.float32], std_C: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return [C, 1, 1] so that pixel * scale - shift is (pixel / 255 - mean) / std.

    >>> scale, shift = scale_and_shift(np.float32([0.5]), np.float32([0.25]))
    >>> (np.array([[[0, 255]]]) * scale - shift).round(3).tolist()
    [[[-2.0, 2.0]]]
    """
    scale_C, shift_C = np.float32(1) / (np.float32(255) * std_C), mean_C / std_C
    return scale_C[:, None, None].astype(np.float32), shift_C[:, None, None].astype(np.float32)


def _channels(option: str, values: tuple[float, ...], channels: int) -> NDArray[np.float32]:
    if len(values) not in (1, channels) or not np.isfinite(values).all():
        raise ConfigError(
            f"--{option}: {len(values)} numbers for {channels} channels; give one, or one a channel"
        )
    return np.full(channels, values, np.float32) if len(values) == 1 else np.array(values, np.float32)


def _insert(
    graph: Graph, name: str, channels_last: bool, mean_C: NDArray[np.float32], std_C: NDArray[np.float32]
) -> None:
    spec, entry = graph.inputs[name], graph.input(name)
    shape: list[int | str | None] = list(spec.shape)
    shape = [shape[2], *shape[:2]] if channels_last else shape
    sides = [
        n if n is not None else f"{name}.{side}"
        for n, side in zip(shape[1:], ("height", "width"), strict=True)
    ]
    entry.CopyFrom(helper.make_tensor_value_info(name, TensorProto.UINT8, [BATCH, shape[0], *sides]))
    scale, shift = (graph.weight(values) for values in scale_and_shift(mean_C, std_C))
    ready = f"{name}/normalised"
    graph.rename(name, ready)
    steps: list[tuple[str, list[str], dict[str, Any]]] = [
        ("Cast", [], {"to": TensorProto.FLOAT}), ("Mul", [scale], {}), ("Sub", [shift], {}),
    ]  # fmt: skip
    if channels_last:
        steps.append(("Transpose", [], {"perm": [0, 2, 3, 1]}))
    if spec.dtype != "float32":
        steps.append(("Cast", [], {"to": _FLOATS[spec.dtype]}))
    nodes: list[tuple[str, list[str], str, dict[str, Any]]] = []
    flow = name
    for number, (kind, more, attributes) in enumerate(steps):
        output = ready if number == len(steps) - 1 else f"{name}/{kind.lower()}"
        nodes.append((kind, [flow, *more], output, attributes))
        flow = output
    graph.put_before(graph.nodes[0], nodes)


def _told(values: NDArray[np.float32]) -> str:
    words = ", ".join(f"{value:.4g}" for value in values)
    return f"[{words}]" if len(values) > 1 else words
