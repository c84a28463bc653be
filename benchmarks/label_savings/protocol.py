"""One run of active learning, simulated: labels round by round, a new head each time, accuracy held out."""

from dataclasses import dataclass

import numpy as np

from benchmarks.label_savings.data import Data
from benchmarks.label_savings.head import L2, fitted
from siftstream.experiment.candidates import accuracy, candidates
from siftstream.experiment.plan import Plan
from siftstream.experiment.split import Rows, Split
from siftstream.models.head import Head
from siftstream.strategies import Need, Window


@dataclass(frozen=True)
class Protocol:
    """How many labels, in which steps, from what; the held-out part is drawn anew by each seed."""

    start: int = 20
    round: int = 20
    labels: int = 400
    window: int | None = None  # samples that a round sees; none: the whole pool
    members: int = 5  # of the head, where a strategy needs several
    l2: float = L2  # of the head
    held_out: float = 0.25  # share of the data that serves the curve alone


def curve(data: Data, plan: Plan, seed: int, protocol: Protocol) -> tuple[list[int], list[float]]:
    """Return numbers of labels, and the accuracy on the held-out part that each gave."""
    split = Split.of(len(data.classes_N), seed, protocol.held_out)
    rng = np.random.default_rng([seed, 1])
    labelled = _first(data, plan, split, protocol, rng)
    counts: list[int] = []
    accuracies: list[float] = []
    while True:
        head = _head(data, plan, labelled, seed, protocol)
        counts.append(len(labelled))
        accuracies.append(accuracy(head, data.features_ND[split.test], data.classes_N[split.test]))
        if len(labelled) >= min(protocol.labels, len(split.stream)):
            return counts, accuracies
        seen = _seen(split.stream, labelled, len(counts) - 1, protocol.window)
        chosen = plan.then.select(_window(data, head, seen, labelled), protocol.round, rng)
        labelled = np.concatenate([labelled, seen[chosen.indices]])


def _first(data: Data, plan: Plan, split: Split, protocol: Protocol, rng: np.random.Generator) -> Rows:
    """Return the first labels; random ones are the same for every strategy of a seed."""
    if plan.start.name == "random":
        return split.stream[: protocol.start]
    none = split.stream[:0]
    seen = _seen(split.stream, none, 0, protocol.window)
    nothing = Head.uniform(1, data.features_ND.shape[1], data.classes)
    chosen = plan.start.select(_window(data, nothing, seen, none), protocol.start, rng)
    return seen[chosen.indices]


def _seen(stream: Rows, labelled: Rows, turn: int, window: int | None) -> Rows:
    """Return what a round may choose from: all that has no label, or a window that slides by its half.

    The stream goes round in a ring, without what has a label.

    >>> _seen(np.arange(8), np.array([3]), 1, 4).tolist()
    [2, 4, 5, 6]
    """
    first = 0 if window is None else turn * (window // 2) % len(stream)
    ring = np.concatenate([stream[first:], stream[:first]])
    return ring[~np.isin(ring, labelled)][:window]


def _head(data: Data, plan: Plan, labelled: Rows, seed: int, protocol: Protocol) -> Head:
    members = protocol.members if Need.MEMBERS in plan.then.reads else 1
    classes_L = data.classes_N[labelled]
    return fitted(data.features_ND[labelled], classes_L, data.classes, protocol.l2, members, seed)


def _window(data: Data, head: Head, seen: Rows, labelled: Rows) -> Window:
    features = data.features_ND
    return candidates(head, features[seen], seen, features[labelled], data.classes_N[labelled])
