"""Where requests to read features again come from, and what their scores are written with."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final

from faust.types import TP

from siftstream.agents.infer.live import LiveModel
from siftstream.agents.infer.rereading import Rereading
from siftstream.agents.infer.stretch import Stretch, opened
from siftstream.schemas import Reread
from siftstream.schemas.errors import BadRecord
from siftstream.streams.app import StageApp
from siftstream.streams.metrics import Metrics
from siftstream.streams.pump import pump
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.work import Work, current_events, finish_patiently

AT_MOST: Final = 16
WITHIN: Final = 0.005


class Worker:
    """What rereading needs of the infer app."""

    def __init__(self, app: StageApp) -> None:
        self._app = app
        self._topic = app.pipeline.topic(Reread.topic)

    def opened(self, partition: int, first: int, end: int) -> AbstractAsyncContextManager[Stretch]:
        """Open a stretch of a partition's features."""
        return opened(self._app, partition, first, end)

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        """Write records; returns when they are acknowledged."""
        await finish_patiently(self._app, Work(list(outputs)))

    def owns(self, partition: int) -> bool:
        """Whether the partition's requests are this worker's, or it is being decided."""
        app = self._app
        return not app.should_stop and (
            app.rebalancing or TP(self._topic, partition) in app.consumer.assignment()
        )

    def note_progress(self) -> None:
        """Let the worker live on while it does nothing but this."""
        self._app.safe_consumer.note_progress()


def listen(app: StageApp, live: LiveModel, size: int, metrics: Metrics) -> Rereading:
    """Let `app` take requests from `rereads`; the caller runs what is returned once models are loaded."""
    count = metrics.counter("reread", "Samples read again on select's request, by outcome.", label="outcome")
    rereading = Rereading(live, size, Worker(app), count)

    @app.agent(app.source(Reread), name="rereads")
    async def rereads(stream: Any) -> None:
        async for events in pump(app, stream, at_most=AT_MOST, within=WITHIN):
            for event in current_events(app, events):
                message = event.message
                app.safe_consumer.forget(message)  # a rebalance does not wait for it; the commit does
                record = Record.of_message(message)
                try:
                    asked = Reread.decode(record.value)
                except BadRecord as error:
                    await finish_patiently(app, Work(refused=[(record, error)]))
                    await stream.ack(event)
                    continue
                await rereading.take(asked, record, message.generation_id, partial(stream.ack, event))

    return rereading
