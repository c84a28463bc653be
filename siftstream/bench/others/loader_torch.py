"""A torch DataLoader of two workers decodes with Pillow, torch runs a ResNet-18 with random weights.

The layers are those of the ONNX graph that the others run (He et al. 2016, table 1, with the ImageNet stem);
its file is not read.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from loader_ort import batches  # pyright: ignore[reportMissingImports]  # beside this file, whose folder is on the path
from torch import nn

WIDTHS = (64, 128, 256, 512)
CLASSES = 10


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, fan_in: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(fan_in, out, 3, stride, 1)
        self.second = nn.Conv2d(out, out, 3, 1, 1)
        same = stride == 1 and fan_in == out
        self.around = nn.Identity() if same else nn.Conv2d(fan_in, out, 1, stride)

    def forward(self, x: Any) -> Any:
        """One step."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.around(x))


def resnet18() -> Any:
    """Return the network: float [B, 3, H, W] in, logits [B, classes] out."""
    blocks: list[Any] = []
    fan_in = WIDTHS[0]
    for stage, out in enumerate(WIDTHS):
        for number in range(2):
            blocks.append(Block(fan_in, out, 2 if stage and not number else 1))
            fan_in = out
    stem = [nn.Conv2d(3, WIDTHS[0], 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], CLASSES)]
    return nn.Sequential(*stem, *blocks, *end).eval()


def prepare(onnx: str) -> Callable[[Sequence[Path], int], Sequence[int]]:
    """Make the model; return what chooses the least confident of some files."""
    del onnx
    model = resnet18()

    def select(paths: Sequence[Path], budget: int) -> Sequence[int]:
        with torch.inference_mode():
            answers = [model(batch.float() / 127.5 - 1).softmax(dim=1) for batch in batches(paths)]
            confidence = torch.cat(answers).amax(dim=1)
            return confidence.topk(budget, largest=False).indices.tolist()

    return select
