"""Half precision where it is safe: matrix products in 16 bits, weights and sums in 32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from siftstream.models.training.adam import AdamW
from siftstream.schemas.errors import TrainingError


class Precision:
    """How a step computes: bfloat16 as it is, float16 with a scaled loss (Micikevicius et al. 2018)."""

    def __init__(self, device: torch.device, half: torch.dtype | None) -> None:
        """Args: where; bfloat16, float16, or none for float32."""
        self.half = half
        self._device = device.type
        self._scaler: Any = torch.amp.GradScaler(device.type) if half == torch.float16 else None

    @classmethod
    def on(cls, device: torch.device, *, amp: bool) -> "Precision":
        """Return what the device does best; the CPU computes in float32."""
        if not amp or device.type != "cuda":
            return cls(device, None)
        return cls(device, torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)

    def forward(self) -> AbstractContextManager[Any]:
        """Return the context that forward passes run in."""
        return nullcontext() if self.half is None else torch.autocast(self._device, dtype=self.half)

    def step(self, error: Tensor, optimisers: dict[AdamW, float]) -> None:
        """Move each optimiser's parameters at its rate; a step whose scaled gradients overflow is skipped."""
        if self._scaler is None:
            error.backward()
            for optimiser, rate in optimisers.items():
                optimiser.step(rate)
            return
        self._scaler.scale(error).backward()
        for optimiser, rate in optimisers.items():
            self._scaler.step(optimiser, rate)
            optimiser.forget()
        self._scaler.update()


def device_of(wanted: str) -> torch.device:
    """Return the device to train on; raises TrainingError where it is not there."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingError("training: device 'cuda' is set, but this machine has none; set 'auto' or 'cpu'")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
