"""AdamW by hand: torch.optim imports the torch compiler, which costs seconds. Child process only."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2), constant betas."""

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        self._parameters = list(parameters)
        self._decay = decay
        self._means = [torch.zeros_like(p) for p in self._parameters]
        self._squares = [torch.zeros_like(p) for p in self._parameters]
        self._steps = 0

    @property
    def param_groups(self) -> list[dict[str, list[Tensor]]]:
        """The parameters as torch's gradient scaler looks for them."""
        return [{"params": self._parameters}]

    def forget(self) -> None:
        """Forget the gradients without a step."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float, beta1: float = 0.9, beta2: float = 0.999) -> None:
        """Move the parameters against their gradients by about `rate`, then forget the gradients."""
        self._steps += 1
        bias1, bias2 = 1.0 - beta1**self._steps, math.sqrt(1.0 - beta2**self._steps)
        for parameter, mean, square in zip(self._parameters, self._means, self._squares, strict=True):
            if parameter.grad is None:
                continue
            mean.lerp_(parameter.grad, 1.0 - beta1)
            square.mul_(beta2).addcmul_(parameter.grad, parameter.grad, value=1.0 - beta2)
            parameter.mul_(1.0 - rate * self._decay)
            parameter.addcdiv_(mean, square.sqrt().div_(bias2).add_(1e-8), value=-rate / bias1)
            parameter.grad = None


def one_cycle(step: int, steps: int, peak: float, rise: float = 0.15) -> float:
    """Return the rate of a step: up to `peak` in the first share `rise` of the steps, then down by a cosine.

    >>> [round(one_cycle(step, 100, 1.0), 2) for step in (0, 15, 57, 99)]
    [0.04, 1.0, 0.51, 0.0]
    """
    up = rise * steps
    if step < up:
        return peak * (0.04 + 0.96 * step / up)
    return peak * 0.5 * (1.0 + math.cos(math.pi * (step - up) / (steps - up)))
