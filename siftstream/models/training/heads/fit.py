"""The heads of a training run: the prior's strength, then all members on all labels. Child process only.

Shape letters: N training labels, M members, C classes, D embedding dimension, H hidden units, F folds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from siftstream.models.head import Head
from siftstream.models.training.fit import Fitted, Tell, finite, member_weights
from siftstream.models.training.heads.features import Features
from siftstream.models.training.heads.folds import FOLDS, folds_of, inside, shares_outside
from siftstream.models.training.heads.linear import Regression
from siftstream.models.training.heads.mlp import STRENGTHS, Hidden, fit_hidden
from siftstream.models.training.heads.strength import (
    AS_IT_IS,
    FEWEST,
    MOST,
    TEMPERATURES,
    UNSURE,
    best_strength,
    least_log_loss,
)
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import Progress

PARTS = 100  # of the way, in which progress is told
SEARCH = 50  # of them go to the prior's strength where it is looked for


@dataclass(frozen=True, eq=False)
class FittedHeads(Fitted):
    """What a fit of heads found."""

    l2: float


def fit_heads(
    emb_ND: NDArray[np.float32],
    targets_N: NDArray[np.int64],
    weights_N: NDArray[np.float32],
    classes: int,
    settings: TrainSettings,
    tell: Tell,
    *,
    rows_N: NDArray[np.intp] | None = None,
) -> FittedHeads:
    """Train M heads on embeddings that stay as they are; the head that comes out reads them as they are.

    Args:
        emb_ND: Embeddings, float32, perhaps mapped from disk.
        targets_N: Places of classes.
        weights_N: What each label counts.
        classes: How many classes there are.
        settings: Kind, members, strength of the prior (for features of deviation 1, against the sum of the
            labels' log losses), seed.
        tell: Hears how far it is.
        rows_N: The rows of `emb_ND` that targets and weights are of; none: all, in order.

    Raises:
        TrainingError: an embedding or a loss that is not finite.
    """
    features = Features(emb_ND, rows_N)
    shares_NM = member_weights(weights_N, settings.members, settings.seed)
    fit = _mlp if settings.head.kind == "mlp" else _linear
    return fit(features, targets_N, shares_NM, classes, settings, tell)


def logits_by_folds(
    emb_ND: NDArray[np.float32],
    targets_N: NDArray[np.int64],
    weights_N: NDArray[np.float32],
    classes: int,
    settings: TrainSettings,
    l2: float,
    tell: Tell,
    *,
    rows_N: NDArray[np.intp] | None = None,
) -> NDArray[np.float32]:
    """Return what heads say [N, M, C] that were fitted, with that prior, to the four other folds of five."""
    told = _telling(tell, 0, PARTS)
    features = Features(emb_ND, rows_N)
    fold_N = folds_of(targets_N, settings.seed)
    shares_NM = member_weights(weights_N, settings.members, settings.seed)
    shares_NX = shares_outside(fold_N, shares_NM)
    if settings.head.kind == "mlp":
        l2_X = np.full(shares_NX.shape[1], l2, np.float32)
        net = fit_hidden(
            features, targets_N, shares_NX, classes, settings.head.hidden, l2_X, settings.seed,
            lambda step, steps, loss: told(loss, step / steps),
        )  # fmt: skip
        return inside(fold_N, _said(net, features))
    regression = Regression(features, targets_N, classes)
    return inside(fold_N, regression.logits(regression.fit(shares_NX, l2, told=told)).numpy())


def _linear(
    features: Features,
    targets_N: NDArray[np.int64],
    shares_NM: NDArray[np.float32],
    classes: int,
    settings: TrainSettings,
    tell: Tell,
) -> FittedHeads:
    regression, l2, before = Regression(features, targets_N, classes), settings.head.l2, 0
    if l2 == "auto":
        before = SEARCH
        some = _some(len(targets_N), settings.seed)
        search = regression if some is None else Regression(features.some(some), targets_N[some], classes)
        chosen = slice(None) if some is None else some
        l2 = best_strength(
            search, targets_N[chosen], shares_NM[chosen].mean(axis=1), settings.seed,
            _telling(tell, 0, before), calibrated=_calibrated(settings, len(targets_N)),
        ).l2  # fmt: skip
    found = regression.fit(shares_NM, l2, told=_telling(tell, before, PARTS - before))
    weights_MDC, bias_MC = regression.weights(found)
    head = Head(weights_MDC.astype(np.float32), bias_MC.astype(np.float32))
    return FittedHeads(head, finite(float(found.loss_M.mean())), found.passes, l2)


def _mlp(
    features: Features,
    targets_N: NDArray[np.int64],
    shares_NM: NDArray[np.float32],
    classes: int,
    settings: TrainSettings,
    tell: Tell,
) -> FittedHeads:
    l2, before = settings.head.l2, 0
    if l2 == "auto":
        before = SEARCH
        l2 = _best_hidden(features, targets_N, shares_NM, classes, settings, _telling(tell, 0, before))
    rest = _telling(tell, before, PARTS - before)
    net = fit_hidden(
        features, targets_N, shares_NM, classes, settings.head.hidden,
        np.full(shares_NM.shape[1], l2, np.float32), settings.seed,
        lambda step, steps, loss: rest(loss, step / steps),
    )  # fmt: skip
    hidden_MDH = net.hidden_MDH.numpy() * features.scale_D[:, None]
    bias_MH = net.hidden_bias_MH.numpy() - np.einsum("d,mdh->mh", features.mean_D, hidden_MDH)
    head = Head(
        net.weights_MHC.numpy(), net.bias_MC.numpy(),
        hidden_MDH=hidden_MDH.astype(np.float32), hidden_bias_MH=bias_MH.astype(np.float32),
    )  # fmt: skip
    return FittedHeads(head, net.loss, net.steps, l2)


def _best_hidden(
    features: Features,
    targets_N: NDArray[np.int64],
    shares_NM: NDArray[np.float32],
    classes: int,
    settings: TrainSettings,
    told: Callable[[float, float], None],
) -> float:
    """Return the strength of the prior with the least log loss in five folds; all of them train at once."""
    some = _some(len(targets_N), settings.seed)
    if some is not None:
        features, targets_N, shares_NM = features.some(some), targets_N[some], shares_NM[some]
    weights_N = shares_NM.mean(axis=1)
    known = np.bincount(targets_N)[targets_N] > 1
    if len(targets_N) < FEWEST or not (weights_N * known).sum() > 0:
        return UNSURE
    fold_N = folds_of(targets_N, settings.seed)
    shares_NF = shares_outside(fold_N, weights_N[:, None])
    net = fit_hidden(
        features, targets_N, np.tile(shares_NF, len(STRENGTHS)), classes, settings.head.hidden,
        np.repeat(np.array(STRENGTHS, np.float32), FOLDS), settings.seed,
        lambda step, steps, loss: told(loss, step / steps),
    )  # fmt: skip
    said = np.split(_said(net, features), len(STRENGTHS), axis=1)
    temperatures = TEMPERATURES if _calibrated(settings, len(targets_N)) else AS_IT_IS
    losses = [
        least_log_loss(inside(fold_N, part)[:, 0], targets_N, weights_N * known, temperatures)
        for part in said
    ]
    return STRENGTHS[int(np.argmin(losses))]


def _said(net: Hidden, features: Features) -> NDArray[np.float32]:
    """Return the logits [N, M, C] of all labels."""
    return torch.cat([net.logits(x) for _, x in features.chunks()]).numpy()


def _some(count: int, seed: int) -> NDArray[np.intp] | None:
    """Return the rows on which the prior's strength is looked for; none: on all."""
    if count <= MOST:
        return None
    return np.sort(np.random.default_rng(seed).choice(count, MOST, replace=False))


def _calibrated(settings: TrainSettings, labels: int) -> bool:
    """Whether the head surely gets a temperature in the end."""
    return settings.calibration.method != "none" and labels >= settings.calibration.min_samples


def _telling(tell: Tell, before: int, parts: int) -> Callable[[float, float], None]:
    """Return what tells a loss and a share of these parts of the way."""

    def told(loss: float, share: float) -> None:
        step = before + int(parts * share)
        tell(Progress(phase="fit", step=step, steps=PARTS, loss=loss if np.isfinite(loss) else None))

    return told
