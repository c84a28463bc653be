"""The loop of every stage: take, handle, bisect what breaks, emit, acknowledge.

A stage is a `handle(records) -> Work` function. This loop owes the rest: a batch that raises is cut
in half until the poison stands alone and goes to dead letters; what is merely unavailable is tried
again, with the input waiting in Kafka; inputs are acknowledged only after the broker has every output.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from logging import getLogger
from typing import Any, Protocol, Self, TypeVar

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    wait_random_exponential,
)

from siftstream.schemas.errors import BadRecord, EmitTimeout, UnavailableError
from siftstream.streams.coalescing import records_of
from siftstream.streams.dead_letters import dead_letter
from siftstream.streams.emit import check_sizes
from siftstream.streams.pump import pump
from siftstream.streams.record import Outgoing, Record

log = getLogger(__name__)


@dataclass
class Work:
    """What a handler made of its records: outputs, and the records it refuses with the reason."""

    outputs: list[Outgoing] = field(default_factory=list[Outgoing])
    refused: list[tuple[Record, Exception]] = field(default_factory=list[tuple[Record, Exception]])

    def refuse(self, record: Record, error: Exception) -> None:
        """Send this record to dead letters."""
        self.refused.append((record, error))

    def __iadd__(self, other: "Work") -> "Work":
        self.outputs += other.outputs
        self.refused += other.refused
        return self


class Decodable(Protocol):
    """Anything with a `decode` that raises `BadRecord`."""

    @classmethod
    def decode(cls, value: bytes | None) -> Self:
        """Read it from a record's value."""
        ...


E = TypeVar("E", bound=Decodable)
Handler = Callable[[Sequence[Record]], Awaitable[Work]]


async def bisected(handle: Handler, records: Sequence[Record]) -> Work:
    """Handle records; on an exception halve them until each poison stands alone as refused.

    `UnavailableError` and cancellation pass through: the records are not to blame.
    """
    try:
        return await handle(records)
    except UnavailableError:
        raise
    except Exception as error:
        if len(records) == 1:
            if not isinstance(error, BadRecord):
                log.exception("an unforeseen error on %s", _place(records[0]))
            return Work(refused=[(records[0], error)])
        half = len(records) // 2
        work = await bisected(handle, records[:half])
        work += await bisected(handle, records[half:])
        return work


async def work_through(app: Any, stream: Any, handle: Handler, *, at_most: int, within: float) -> None:
    """Run a stage's handler over a Faust stream for ever.

    Args:
        app: The stage's app.
        stream: The agent's stream.
        handle: The stage.
        at_most: Messages a batch; each a record, or a bunch of them on a coalesced topic.
        within: Seconds a batch waits to fill at most, while more keep coming.
    """
    async for events in pump(app, stream, at_most=at_most, within=within):
        current = current_events(app, events)
        if not current:
            continue
        records = [record for event in current for record in records_of(event.message)]
        await finish_patiently(app, await patiently(app, handle, records))
        for event in current:
            await stream.ack(event)


def current_events(app: Any, events: Sequence[Any]) -> list[Any]:
    """Leave out what an older generation of the group still had in its buffers: it is read again."""
    now = app.consumer_generation_id
    current = [event for event in events if event.message.generation_id == now]
    for event in events:
        if event.message.generation_id != now:
            app.consumer.forget(event.message)
    return current


async def patiently(app: Any, handle: Handler, records: Sequence[Record]) -> Work:
    """Bisect, and try again with growing pauses while something outside is unavailable."""

    async def sendable(part: Sequence[Record]) -> Work:
        work = await handle(part)
        check_sizes(work.outputs)
        return work

    return await _patience(app)(bisected, sendable, records)


def _patience(app: Any) -> AsyncRetrying:
    def tell(state: Any) -> None:
        log.warning("%s waits: %s", app.stage, state.outcome.exception())

    return AsyncRetrying(
        retry=retry_if_exception_type(UnavailableError) & retry_if_not_exception_type(EmitTimeout),
        wait=wait_random_exponential(multiplier=0.2, max=10.0),
        before_sleep=tell,
        reraise=True,
    )


def decoded(event: type[E], records: Sequence[Record], work: Work) -> list[tuple[Record, E]]:
    """Decode each record as `event`; those that are none are refused in `work`."""
    good: list[tuple[Record, E]] = []
    for record in records:
        try:
            good.append((record, event.decode(record.value)))
        except BadRecord as error:
            work.refuse(record, error)
    return good


async def finish_patiently(app: Any, work: Work) -> None:
    """Finish, trying again with growing pauses while the broker is away: the work is done already."""
    async for attempt in _patience(app):
        with attempt:
            await finish(app, work)


async def finish(app: Any, work: Work) -> None:
    """Write the outputs and the dead letters; returns when all are acknowledged."""
    letters = [dead_letter(record, error, app.stage) for record, error in work.refused]
    for record, error in work.refused:
        log.warning("%s: dead letter of %s: %s", app.stage, _place(record), error)
    await app.emitter.send([*work.outputs, *letters])


def refused_later(app: Any) -> Callable[[Record, Exception], None]:
    """Return what a view calls with a bad record: its dead letter is written beside the stage's work."""

    def refuse(record: Record, error: Exception) -> None:
        app.add_future(finish_patiently(app, Work(refused=[(record, error)])))

    return refuse


def _place(record: Record) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"
