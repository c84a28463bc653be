"""Encoder and heads trained together: AdamW in one cycle, whatever the encoder is.

Shape letters: N training labels, B batch, M members, C classes, D embedding dimension.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from siftstream.models.cnn import Weights
from siftstream.models.training.adam import AdamW, one_cycle
from siftstream.models.training.fit import (
    TOLD_EVERY,
    Fitted,
    Tell,
    batches,
    finite,
    fresh_heads,
    head_of,
    logits_of,
    loss_of,
    member_weights,
)
from siftstream.models.training.full.augment import augmented
from siftstream.models.training.full.built_in import BuiltIn
from siftstream.models.training.full.labels import Labels
from siftstream.models.training.full.learner import Learner
from siftstream.models.training.full.precision import Precision, device_of
from siftstream.models.training.full.stopping import EarlyStopping
from siftstream.models.training.settings import FullSettings, TrainSettings
from siftstream.schemas import Progress

_HEAD_RATE = 0.003  # of heads that begin at zero, on an encoder that begins with weights of its own
_BATCH = 256  # held-out samples at a time
Begin = Callable[[list[Tensor]], None]


@dataclass(frozen=True, eq=False)
class FittedFull(Fitted):
    """What a fit found; the encoder's weights lie in the learner."""

    heads: list[Tensor]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """How many steps a run takes, and how many of them are an epoch."""

    size: int
    steps: int
    span: int

    @classmethod
    def of(cls, labels: int, settings: FullSettings) -> "Plan":
        """Return the plan: epochs of one pass each, of more where `min_steps` asks for more.

        >>> Plan.of(20, FullSettings(epochs=40, min_steps=300, batch_size=32))
        Plan(size=20, steps=300, span=8)
        """
        size = min(settings.batch_size, labels)
        each = -(-labels // size)
        steps = min(max(settings.epochs * each, settings.min_steps), settings.max_steps)
        return cls(size, steps, max(each, -(-steps // settings.epochs)))

    @property
    def epochs(self) -> int:
        """Epochs, of which the last may be shorter."""
        return self.epoch(self.steps)

    def epoch(self, step: int) -> int:
        """Return the epoch that a step (from 1) is of."""
        return -(-step // self.span)

    def ends_epoch(self, step: int) -> bool:
        """Return whether a step is its epoch's last."""
        return step % self.span == 0 or step == self.steps

    def progress(self, step: int, loss: float) -> Progress:
        """Return how far a run is after a step."""
        return Progress(
            phase="fit", epoch=self.epoch(step), epochs=self.epochs, step=step, steps=self.steps, loss=loss
        )


def fit(
    learner: Learner, train: Labels, held: Labels, classes: int, settings: TrainSettings, tell: Tell,
    begin: Begin | None = None, precision: Precision | None = None,
) -> FittedFull:  # fmt: skip
    """Train an encoder and M linear heads together, the encoder's weights in place.

    Several members see the labels under different random weights (Bayesian bootstrap, Rubin 1981).

    Args:
        learner: The encoder.
        train: Labels to learn from.
        held: Labels that end the run early, where there are enough of them.
        classes: C.
        settings: How.
        tell: Hears how far it is.
        begin: Puts other weights into the encoder and the heads that it is given.
        precision: None: what `settings.full` says.

    Raises:
        TrainingError: a loss that is not finite, or a device that is not there.
    """
    options = settings.full
    device = device_of(options.device)
    precision = precision or Precision.on(device, amp=options.amp)
    learner.net.to(device)
    heads = fresh_heads(settings.members, learner.dim, classes, device)
    if begin is not None:
        begin(heads)
    shares_NM = member_weights(train.weights_N, settings.members, settings.seed)
    rate, head_rate = rates(options, learner)
    body, top = (AdamW(part, options.weight_decay) for part in (learner.net.parameters(), heads))
    plan = Plan.of(len(train), options)
    stopping = _stopping(options, held, learner, heads)
    order, randomness = (torch.Generator().manual_seed(settings.seed) for _ in range(2))
    loss, step, notes = 0.0, 0, ()
    learner.net.train()
    for step, chosen in enumerate(batches(len(train), plan.size, plan.steps, order), start=1):
        inputs = augmented(train.batch(chosen, device), options.augment, randomness)
        wanted = torch.from_numpy(train.targets_N[chosen]).to(device)
        shares_BM = torch.from_numpy(shares_NM[chosen]).to(device)
        with precision.forward():
            emb_BD = learner.embed(inputs)
        error = loss_of(logits_of(emb_BD.float(), *heads), wanted, shares_BM)
        cycle = one_cycle(step - 1, plan.steps, 1.0)
        precision.step(error, {body: rate * cycle, top: head_rate * cycle})
        if device.type == "cpu" or step % TOLD_EVERY == 1 or step == plan.steps:
            loss = finite(float(error.detach()))  # to ask a GPU is to wait for it
        tell(plan.progress(step, loss))
        if stopping is not None and plan.ends_epoch(step):
            if stopping.after(plan.epoch(step), finite(held_loss(learner, heads, held, precision))):
                break
            learner.net.train()
    if stopping is not None:
        stopping.restore()
        notes = (f"{stopping.words(plan.epochs)}; {step} of {plan.steps} steps were made",)
    learner.net.eval()
    return FittedFull(head_of(*heads), loss, step, heads, notes)


def fit_cnn(
    images: NDArray[np.uint8], targets_N: NDArray[np.int64], classes: int, settings: TrainSettings
) -> tuple[Fitted, Weights]:
    """Train the built-in CNN on images [N, channels, height, width]; return heads and the CNN's weights.

    Raises:
        ModelError: images that it does not read; TrainingError: a loss that is not finite.
    """
    learner = BuiltIn("image", images.shape[1:], settings.full.dim, settings.seed)
    ones = np.ones(len(images), np.float32)
    train = Labels({"image": images}, np.arange(len(images)), targets_N, ones)
    held = Labels({"image": images}, np.arange(0), targets_N[:0], ones[:0])
    fitted = fit(learner, train, held, classes, settings, lambda _: None)
    return fitted, learner.net.weights()


def rates(options: FullSettings, learner: Learner) -> tuple[float, float]:
    """Return the peak step sizes of encoder and heads."""
    if options.learning_rate != "auto":
        return options.learning_rate, options.learning_rate
    return learner.rate, max(learner.rate, _HEAD_RATE)


def held_loss(learner: Learner, heads: list[Tensor], held: Labels, precision: Precision) -> float:
    """Return the mean log loss of the members' mean probability on labels that are not learned."""
    device = heads[0].device
    learner.net.eval()
    total = 0.0
    with torch.inference_mode():
        for at in range(0, len(held), _BATCH):
            part = slice(at, at + _BATCH)
            with precision.forward():
                emb_BD = learner.embed(held.batch(part, device))
            logs_BMC = logits_of(emb_BD.float(), *heads).log_softmax(2)
            logs_BC = logs_BMC.logsumexp(1) - np.log(logs_BMC.shape[1])
            picked = torch.from_numpy(held.targets_N[part]).to(device)[:, None]
            total -= float(logs_BC.gather(1, picked).sum())
    return total / len(held)


def _stopping(
    options: FullSettings, held: Labels, learner: Learner, heads: list[Tensor]
) -> EarlyStopping | None:
    early = options.early_stopping
    if not early.patience or len(held) < early.min_held:
        return None
    return EarlyStopping(early, learner.net, heads)
