"""A classifier of torch without its last linear layer: what that layer read is the embedding."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from siftstream.schemas.errors import TrainingError


def cut_last_layer(module: nn.Module, answer: Callable[[], Tensor], classes: int | None) -> str:
    """Replace the linear layer that gives the answer by nothing; return its name, empty where there is none.

    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> cut_last_layer(net, lambda: net(torch.ones(2, 4)), classes=3), net(torch.ones(2, 4)).shape
    ('2', torch.Size([2, 8]))

    Args:
        module: It; changed in place.
        answer: Runs the module on a few samples.
        classes: A layer of another number of outputs stays; none: whatever there is goes.

    Raises:
        TrainingError: probabilities come out of it.
    """
    heard: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_hook(_listener(heard, name))
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Linear) and name
    ]
    try:
        said = answer()
    finally:
        for hook in hooks:
            hook.remove()
    for name, values in heard.items():
        if values.shape != said.shape or values.ndim != 2:
            continue
        if torch.allclose(values.softmax(1), said, atol=1e-6):
            raise TrainingError(
                f"training: the encoder ends in a softmax behind its layer {name}: let it return what goes in"
            )
        if torch.equal(values, said) and classes in (None, values.shape[1]):
            parent, _, last = name.rpartition(".")
            setattr(module.get_submodule(parent), last, nn.Identity())
            return name
    return ""


def _listener(heard: dict[str, Tensor], name: str) -> Callable[[Any, Any, Any], None]:
    def listen(layer: Any, inputs: Any, output: Any) -> None:
        heard[name] = output

    return listen
