"""A torch DataLoader of two workers decodes with Pillow, ONNX Runtime runs the model."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from PIL import Image

BATCH = 128
WORKERS = 2


class Pictures:
    """A map-style dataset of files."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        """How many."""
        return len(self._paths)

    def __getitem__(self, number: int) -> Any:
        """One, as uint8 [3, height, width]."""
        import torch

        pixels = np.array(Image.open(self._paths[number]).convert("RGB"))
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def batches(paths: Sequence[Path]) -> Any:
    """Return what yields uint8 tensors [batch, 3, height, width]."""
    from torch.utils.data import DataLoader

    pictures: Any = Pictures(paths)
    return DataLoader(pictures, batch_size=BATCH, num_workers=WORKERS)


def prepare(onnx: str) -> Callable[[Sequence[Path], int], Sequence[int]]:
    """Open the model; return what chooses the least confident of some files."""
    session = ort.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def select(paths: Sequence[Path], budget: int) -> Sequence[int]:
        answers: Any = [session.run(None, {name: batch.numpy()})[0] for batch in batches(paths)]
        confidence = np.concatenate(answers).max(axis=1)
        return np.argpartition(confidence, budget - 1)[:budget].tolist()

    return select
