"""Asking: a query is written, the offers are folded as everybody folds them, the chosen are collected."""

import asyncio

from siftstream.agents.select.asking.decision import Ballot
from siftstream.connectors.client.answer import Answer
from siftstream.connectors.client.connection import Connection, Tail
from siftstream.schemas import Offer, Query, Selected
from siftstream.schemas.errors import SchemaError, StrategyError, UnavailableError
from siftstream.streams.record import Record

SHOWN = 8


async def ask(connection: Connection, query: Query) -> Answer:
    """Write the query and return what is chosen for it.

    Raises:
        StrategyError: select refuses it, the message says why.
        UnavailableError: not within its timeout; the message says who is missing.
    """
    now = asyncio.get_running_loop().time
    deadline = now() + query.timeout
    places = await connection.ends(Offer.topic) | await connection.ends(Selected.topic)
    hearing = Hearing(query, connection)
    async with Tail(connection, places) as tail:
        await connection.acknowledged(await connection.send(Query.topic, query.encode(), query.key))
        while not hearing.over:
            left = deadline - now()
            if left <= 0:
                raise UnavailableError(hearing.missing)
            for record in await tail.more(left):
                hearing.hear(record)
    return hearing.answer


class Hearing:
    """What was heard of one query."""

    def __init__(self, query: Query, connection: Connection) -> None:
        """Args: the query; the cluster."""
        self._query, self._offers = query, connection.topic(Offer.topic)
        self._ballot = Ballot(query.budget, connection.partitions)
        self._marks = f"{query.query_id}/".encode(), query.query_id.encode()
        self._found: dict[str, Selected] = {}

    def hear(self, record: Record) -> None:
        """Take an offer, or a chosen sample; of other queries, and what cannot be read, nothing.

        Raises:
            StrategyError: the query is refused.
        """
        offer, chosen = self._marks
        try:
            if record.topic == self._offers:
                if (record.key or b"").startswith(offer):
                    self._ballot.hear(Offer.decode(record.value))
            elif record.value is not None and chosen in record.value:
                found = Selected.decode(record.value)
                if found.query_id == self._query.query_id:
                    self._found[found.sample_id] = found
        except SchemaError:
            return
        if self._ballot.refused:
            raise StrategyError(f"the query is refused: {self._ballot.refused}")

    @property
    def over(self) -> bool:
        """Whether it is decided and everything is here."""
        decision = self._ballot.decision
        return decision is not None and len(self._found) >= decision.size

    @property
    def answer(self) -> Answer:
        """What was chosen."""
        decision = self._ballot.decision
        free = decision.free if decision is not None else 0
        return Answer(self._query.query_id, list(self._found.values()), self._query.budget, free)

    @property
    def missing(self) -> str:
        """Who has not answered, in a sentence."""
        within = f"within {self._query.timeout:.3g} s: does `siftstream worker select` run?"
        if self._ballot.decision is None:
            return f"no answer from {partitions(self._ballot.missing)} {within}"
        delivered = {p: sum(s.partition == p for s in self._found.values()) for p in self._ballot.offers}
        ranks = self._ballot.decision.ranks
        late = [p for p in sorted(ranks) if delivered[p] < len(ranks[p])]
        return (
            f"{len(self._found):,} of {self._ballot.decision.size:,} chosen samples came, not all of"
            f" {partitions(late)}, {within}"
        )


def partitions(numbers: list[int]) -> str:
    """Name some partitions.

    >>> partitions([1]), partitions([1, 3])
    ('partition 1', 'partitions 1, 3')
    """
    shown = ", ".join(map(str, numbers[:SHOWN])) + (", ..." if len(numbers) > SHOWN else "")
    return f"partition{'s' if len(numbers) != 1 else ''} {shown}"
