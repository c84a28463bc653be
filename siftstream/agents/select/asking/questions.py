"""All queries that are asked, and how far each is decided: a fold over `queries` and `offers`."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from siftstream.agents.select.asking.decision import Ballot
from siftstream.schemas import Offer, Query
from siftstream.streams.record import Record

GRACE_S: Final = 5.0  # after a query's timeout, in which an offer that was made in time may still arrive
EARLY: Final = 64  # queries whose offers may come before them
PAST_S: Final = 3600.0  # after its timeout a query is forgotten: who asked has gone long ago


@dataclass
class Question:
    """One query and the offers for it."""

    query: Query
    ballot: Ballot

    def expired(self, now: float) -> bool:
        """Whether nobody waits for it any more."""
        return now > self.query.asked_at + self.query.timeout

    def dead(self, now: float) -> bool:
        """Whether nothing has to be kept for it: it is void, or was never decided in time."""
        void = bool(self.ballot.refused)
        return void or (self.ballot.decision is None and self.expired(now - GRACE_S))


class Questions:
    """Folds both topics, in whatever order their records reach this worker."""

    def __init__(self, partitions: int) -> None:
        """Args: P, how many offers decide a query."""
        self._partitions = partitions
        self._asked: dict[str, Question] = {}
        self._early: defaultdict[str, list[Offer]] = defaultdict(list)  # offers whose query was not read yet

    def hear_query(self, record: Record) -> None:
        """Learn of a query.

        Raises:
            SchemaError: not a `Query`.
        """
        query = Query.decode(record.value)
        if query.query_id in self._asked:
            return
        question = Question(query, Ballot(query.budget, self._partitions))
        self._asked = {
            name: one for name, one in self._asked.items() if not one.expired(query.asked_at - PAST_S)
        }
        self._asked[query.query_id] = question
        for offer in self._early.pop(query.query_id, []):
            question.ballot.hear(offer)

    def hear_offer(self, record: Record) -> None:
        """Learn of an offer.

        Raises:
            SchemaError: not an `Offer`.
        """
        offer = Offer.decode(record.value)
        question = self._asked.get(offer.query_id)
        if question is None:
            self._early[offer.query_id].append(offer)
            if len(self._early) > EARLY:  # those of forgotten queries are never asked for
                del self._early[next(iter(self._early))]
        else:
            question.ballot.hear(offer)

    def __iter__(self) -> Iterator[Question]:
        return iter([*self._asked.values()])

    def open(self, now: float) -> bool:
        """Whether some query waits for offers."""
        return any(not one.ballot.over and not one.expired(now) for one in self._asked.values())

    def of(self, query_id: str) -> Question | None:
        """The question of this id, if it was asked."""
        return self._asked.get(query_id)

    def owed(self, partition: int, delivered: dict[str, int], now: float) -> list[Offer]:
        """Return what an earlier owner of a partition offered and did not deliver, oldest first."""
        offers = [
            question.ballot.offers[partition]
            for question in self._asked.values()
            if partition in question.ballot.offers
            and not question.dead(now)
            and delivered.get(question.query.query_id, 0) < _due(question, partition)
        ]
        return sorted(offers, key=lambda offer: offer.seen)


def _due(question: Question, partition: int) -> int:
    """Return how many samples a partition delivers; before the decision, perhaps all that it offered."""
    decision = question.ballot.decision
    offer = question.ballot.offers[partition]
    return len(decision.ranks[partition]) if decision is not None else len(offer.keys)
