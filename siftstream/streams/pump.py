"""The event pump: a stage's events as they come, together while more keep coming, at once when it is quiet.

Faust's own `noack_take(within=)` hands out on a fixed tick, so that a lone event waits for the tick in each
stage. The pump has no timer. It takes straight from the queue that the consumer fills, and keeps what Faust's
stream owes there: an event is tracked when it is taken, and is not handed out while the flow is suspended or
when its generation is over (it is read again). Nothing is acknowledged here: `stream.ack(event)` does that.
"""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any, Final

QUIET_TURNS: Final = 8  # of the event loop without an event; Faust spends about four on handing one over


async def pump(app: Any, stream: Any, *, at_most: int, within: float) -> AsyncIterator[list[Any]]:
    """Yield an agent's events, oldest first, in lists that are never empty.

    The first event is waited for; others join it until the input is quiet, the list is full or time is up.
    A slow caller finds full lists, an idle one gets each event by itself: what waits in the queue decides.

    Args:
        app: The stage's app.
        stream: The agent's stream; nobody else may read from it.
        at_most: Events a list.
        within: Seconds that the first event waits for others at most, while they keep coming.
    """
    queue = stream.channel.queue
    try:
        while True:
            events = _taken(app, [await queue.get()])
            failure = await _gather(app, queue, events, at_most, within)
            if events:
                yield events
            if failure is not None:
                raise failure
            await asyncio.sleep(0)  # a full queue must not keep the loop from everybody else
    except StopAsyncIteration:  # how Faust tells an actor that it stops
        return
    finally:
        stream.channel.on_stop_iteration()


async def _gather(app: Any, queue: Any, events: list[Any], at_most: int, within: float) -> Exception | None:
    """Let more events join; return what was thrown into the queue, which comes after them."""
    deadline, quiet = monotonic() + within, 0
    while len(events) < at_most and quiet < QUIET_TURNS and monotonic() < deadline:
        found, failure = _waiting(queue, at_most - len(events))
        events += _taken(app, found)
        if failure is not None:
            return failure
        quiet = 0 if found else quiet + 1
        await asyncio.sleep(0)
    return None


def _waiting(queue: Any, at_most: int) -> tuple[list[Any], Exception | None]:
    """Return what is in the queue, and what was thrown into it behind that."""
    found: list[Any] = []
    try:
        while len(found) < at_most:
            found.append(queue.get_nowait())
    except asyncio.QueueEmpty:
        return found, None
    except Exception as error:
        return found, error
    return found, None


def _taken(app: Any, events: list[Any]) -> list[Any]:
    """Track events as Faust's stream does; those that it would skip are left to be read again."""
    if not app.flow_control.is_active():
        return []
    generation, consumer = app.consumer_generation_id, app.consumer
    current = [event for event in events if event.message.generation_id == generation]
    for event in current:
        message = event.message
        if not message.tracked and message.topic in app.topics.acking_topics:
            message.tracked = True
            consumer.track_message(message)
    return current
