"""The two ways to learn: CNN and head, or heads alone on a frozen encoder. Child process only.

Shape letters: N training labels, B batch, M members, C classes, D embedding dimension.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from siftstream.models.cnn import Weights, spare_weights
from siftstream.models.head import Head
from siftstream.models.settings import TrainSettings
from siftstream.models.training.adam import AdamW, one_cycle
from siftstream.models.training.net import Cnn, normalise
from siftstream.schemas.errors import TrainingError

Progress = Callable[[int, int, float], None]  # step, steps, loss

_HEAD_STEPS = 300
_HEAD_RATE = 0.1
_HEAD_BATCH = 65_536  # labels a step; fewer labels are one exact full batch
_TOLD_EVERY = 50


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit found; `net` and `weights` only where the encoder was trained too."""

    head: Head
    loss: float
    steps: int
    net: Cnn | None = None
    weights: Weights | None = None


def fit_full(
    inputs: NDArray[np.generic],
    targets_N: NDArray[np.int64],
    weights_N: NDArray[np.float32],
    classes: int,
    settings: TrainSettings,
    progress: Progress,
) -> Fitted:
    """Train the CNN and M linear heads together from random weights, by AdamW in one cycle.

    Images [N, channels, height, width] uint8 are shifted at random by up to `settings.shift` pixels. Several
    members see the labels under different random weights (Bayesian bootstrap, Rubin 1981).

    Raises:
        ModelError: inputs that the CNN does not read; TrainingError: a loss that is not finite.
    """
    device = _device(settings.device)
    generator = torch.Generator().manual_seed(settings.seed)
    shape = inputs.shape[1:]
    net = Cnn(spare_weights(settings.seed, shape, settings.dim), shape).to(device)
    heads = _fresh_heads(settings.members, settings.dim, classes, device)
    shares_NM = member_weights(weights_N, settings.members, settings.seed)
    optimiser = AdamW([*net.parameters(), *heads], settings.weight_decay)
    size = min(settings.batch_size, len(inputs))
    steps = settings.epochs * -(-len(inputs) // size)
    steps = min(max(steps, settings.min_steps), settings.max_steps)
    loss = 0.0
    net.train()
    for step, rows in enumerate(_batches(len(inputs), size, steps, generator)):
        images = normalise(torch.from_numpy(np.ascontiguousarray(inputs[rows])).to(device))
        images = shift_images(images, settings.shift, generator)
        wanted = torch.from_numpy(targets_N[rows]).to(device)
        shares_BM = torch.from_numpy(shares_NM[rows]).to(device)
        error = _loss(_logits(net(images), *heads), wanted, shares_BM)
        error.backward()
        optimiser.step(one_cycle(step, steps, settings.learning_rate))
        if step % _TOLD_EVERY == 0 or step == steps - 1:
            loss = _finite(float(error.detach()))
            progress(step + 1, steps, loss)
    net.eval()
    return Fitted(_head(*heads), loss, steps, net, net.weights())


def fit_heads(
    emb_ND: NDArray[np.float32],
    targets_N: NDArray[np.int64],
    weights_N: NDArray[np.float32],
    classes: int,
    settings: TrainSettings,
    progress: Progress,
) -> Fitted:
    """Train M linear heads on embeddings that stay as they are: logistic regression with a Gaussian prior.

    Embeddings are standardised for the fit; the head that comes out reads them as they are.

    Raises:
        TrainingError: a loss that is not finite.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    mean_D, deviation_D = emb_ND.mean(axis=0), emb_ND.std(axis=0)
    scale_D = np.where(deviation_D > 1e-6, 1.0 / np.maximum(deviation_D, 1e-6), 0.0).astype(np.float32)
    features = torch.from_numpy(((emb_ND - mean_D) * scale_D).astype(np.float32))
    heads = _fresh_heads(settings.members, emb_ND.shape[1], classes, torch.device("cpu"))
    shares = torch.from_numpy(member_weights(weights_N, settings.members, settings.seed))
    targets = torch.from_numpy(targets_N)
    optimiser = AdamW(heads, decay=0.0)
    size = min(_HEAD_BATCH, len(features))
    loss = 0.0
    for step, rows in enumerate(_batches(len(features), size, _HEAD_STEPS, generator)):
        error = _loss(_logits(features[rows], *heads), targets[rows], shares[rows])
        error = error + settings.l2 / (2 * len(features)) * heads[0].square().sum()
        error.backward()
        optimiser.step(one_cycle(step, _HEAD_STEPS, _HEAD_RATE))
        if step % _TOLD_EVERY == 0 or step == _HEAD_STEPS - 1:
            loss = _finite(float(error.detach()))
            progress(step + 1, _HEAD_STEPS, loss)
    head = _head(*heads)
    weights_MDC = head.weights_MDC * scale_D[:, None]
    bias_MC = head.bias_MC - np.einsum("d,mdc->mc", mean_D, weights_MDC).astype(np.float32)
    return Fitted(Head(weights_MDC, bias_MC), loss, _HEAD_STEPS)


def member_weights(weights_N: NDArray[np.float32], members: int, seed: int) -> NDArray[np.float32]:
    """Return what each label counts for each member [N, M]: as given for one, bootstrapped for several."""
    weights_NM = np.repeat(weights_N[:, None], members, axis=1)
    if members > 1:
        weights_NM = weights_NM * np.random.default_rng(seed).exponential(size=weights_NM.shape)
    return (weights_NM / weights_NM.mean(axis=0)).astype(np.float32)


def shift_images(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Move each image [B, C, H, W] by up to `pixels` up or down and sideways; edges are repeated."""
    if not pixels:
        return images
    height, width = images.shape[2:]
    padded = functional.pad(images, (pixels,) * 4, mode="replicate")
    moves = torch.randint(0, 2 * pixels + 1, (2, len(images), 1), generator=generator).to(images.device)
    rows = (moves[0] + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (moves[1] + torch.arange(width, device=images.device))[:, None, None, :]
    batch = torch.arange(len(images), device=images.device)[:, None, None, None]
    channels = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    return padded[batch, channels, rows, columns]


def _batches(count: int, size: int, steps: int, generator: torch.Generator) -> list[NDArray[np.int64]]:
    """Return the rows of each step: every label once a pass, in a new order each time."""
    passes = -(-steps * size // count)
    order = np.concatenate([torch.randperm(count, generator=generator).numpy() for _ in range(passes)])
    return [order[at : at + size] for at in range(0, steps * size, size)]


def _logits(emb_BD: Tensor, weights_MDC: Tensor, bias_MC: Tensor) -> Tensor:
    return torch.einsum("bd,mdc->bmc", emb_BD, weights_MDC) + bias_MC


def _loss(logits_BMC: Tensor, targets_B: Tensor, shares_BM: Tensor) -> Tensor:
    """Return the weighted cross-entropy, summed over members: each learns as if it were alone."""
    picked = targets_B[:, None, None].expand(-1, logits_BMC.shape[1], 1)
    losses_BM = -functional.log_softmax(logits_BMC, dim=2).gather(2, picked).squeeze(2)
    return (losses_BM * shares_BM).mean(dim=0).sum()


def _fresh_heads(members: int, dim: int, classes: int, device: torch.device) -> list[Tensor]:
    weights = torch.zeros(members, dim, classes, device=device, requires_grad=True)
    return [weights, torch.zeros(members, classes, device=device, requires_grad=True)]


def _head(weights_MDC: Tensor, bias_MC: Tensor) -> Head:
    return Head(weights_MDC.detach().cpu().numpy(), bias_MC.detach().cpu().numpy())


def _device(wanted: str) -> torch.device:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingError("training: device 'cuda' is set, but this machine has none; set 'auto' or 'cpu'")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _finite(loss: float) -> float:
    if not np.isfinite(loss):
        raise TrainingError("training: the loss is not finite; lower learning_rate")
    return loss
