"""How offers are decided: everybody who reads them comes to the same answer, so nobody has to lead.

The offers of a query lie in one partition, so all readers see them in one order. While some partition has
not offered, a newer offer of a partition replaces its older one. The query is decided at the offer that makes
them complete, and nothing after that changes it; a refusal before that makes it void.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from siftstream.schemas import Offer


@dataclass(frozen=True)
class Decision:
    """Who delivers what: for each partition the ranks of its part in the whole answer, best first."""

    ranks: Mapping[int, Sequence[int]]
    offers: Mapping[int, Offer]

    @property
    def size(self) -> int:
        """Samples in the answer; fewer than asked for where there were no more."""
        return sum(map(len, self.ranks.values()))

    @property
    def free(self) -> int:
        """Samples that could have been chosen, over all partitions."""
        return sum(offer.free for offer in self.offers.values())

    def keys(self, partition: int) -> Sequence[int]:
        """Hashes of the ids that a partition delivers, best first: the head of its offer."""
        return self.offers[partition].keys[: len(self.ranks[partition])]


@dataclass
class Ballot:
    """The offers for one query as they come; `decision` or `refused` once it is over."""

    budget: int
    partitions: int
    offers: dict[int, Offer] = field(default_factory=dict[int, Offer])
    decision: Decision | None = None
    refused: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing that comes changes anything any more."""
        return self.decision is not None or bool(self.refused)

    @property
    def missing(self) -> list[int]:
        """Partitions that have not offered."""
        return [partition for partition in range(self.partitions) if partition not in self.offers]

    def hear(self, offer: Offer) -> None:
        """Take one offer, in the order of the log."""
        if self.over:
            return
        if offer.refused:
            self.refused = offer.refused
            return
        self.offers[offer.partition] = offer
        if not self.missing:
            self.decision = decide(self.budget, self.offers)


def decide(budget: int, offers: Mapping[int, Offer]) -> Decision:
    """Return who delivers what.

    Where every score is of a sample alone the best `budget` of all are taken, ties by the hash of the id.
    Else scores of two partitions say nothing of each other: each delivers as its free samples are of all
    free ones, by largest remainder, and the ranks go round by how much of its part each has delivered.

    >>> def offer(partition, *scores, comparable=True):
    ...     return Offer(query_id="q", partition=partition, free=len(scores), seen=9, position=0,
    ...                  keys=range(len(scores)), scores=scores, comparable=comparable)
    >>> decide(3, {0: offer(0, 0.9, 0.1), 1: offer(1, 0.8, 0.7, 0.6)}).ranks
    {0: [0], 1: [1, 2]}
    >>> decide(3, {0: offer(0, 9, 8, comparable=False), 1: offer(1, 2, 1, 1, 0)}).ranks
    {0: [1], 1: [0, 2]}
    """
    order = sorted(offers)
    if all(offers[p].comparable for p in order if offers[p].keys):
        parts = np.concatenate([np.full(len(offers[p].keys), p) for p in order])
        keys = np.concatenate([np.array(offers[p].keys, np.uint64) for p in order])
        scores = np.concatenate([np.array(offers[p].scores, np.float64) for p in order])
        best = np.lexsort((keys, -scores))[:budget]
        winners = parts[best]
    else:
        shares = _shares(budget, [len(offers[p].keys) for p in order], [offers[p].free for p in order])
        progress = np.concatenate([(np.arange(share) + 0.5) / max(share, 1) for share in shares])
        winners = np.repeat(order, shares)[np.argsort(progress, kind="stable")]
    return Decision({p: np.flatnonzero(winners == p).tolist() for p in order}, dict(offers))


def _shares(budget: int, offered: Sequence[int], free: Sequence[int]) -> list[int]:
    """Part the budget as the free samples are, nobody more than it offered, by largest remainder."""
    shares = [0] * len(free)
    left = min(budget, sum(offered))
    while left:
        open_ = [i for i in range(len(free)) if shares[i] < offered[i]]
        weight = sum(free[i] for i in open_)
        exact = {i: left * free[i] / weight for i in open_}
        given = {i: min(int(exact[i]), offered[i] - shares[i]) for i in open_}
        if not any(given.values()):  # less than one each: the largest remainders, the lower partition first
            for i in sorted(open_, key=lambda i: (-exact[i], i))[:left]:
                given[i] = 1
        for i in open_:
            shares[i] += given[i]
        left -= sum(given.values())
    return shares
