"""The fetch stage: URIs in, model-ready micro-batches out, on each sample's own partition."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from siftstream.agents.fetch.flow import Flow
from siftstream.agents.fetch.loaders.cache import Cache
from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas import DataUri
from siftstream.streams.app import StageApp
from siftstream.streams.metrics import Metrics
from siftstream.streams.record import Record
from siftstream.streams.work import current_events, finish_patiently

WITHIN = 0.01  # seconds in which arriving records are taken together
AT_MOST = 256


def attach(
    app: StageApp, settings: FetchSettings, transform: Transform, cache: Cache | None, metrics: Metrics
) -> None:
    """Make `app` the fetch stage."""
    samples = metrics.counter("samples", "Samples done, by outcome.", label="outcome")
    reader = Reader(settings, cache, count=metrics.counter("loads", "What happened to loads, by kind."))

    @app.agent(app.source(DataUri), name="fetch")
    async def fetch(stream: Any) -> None:
        async def ack(events: Sequence[Any]) -> None:
            for event in events:
                await stream.ack(event)

        flow = Flow(
            settings, transform, reader, app.pipeline.partitions,
            send=partial(finish_patiently, app), ack=ack, count=samples,
        )  # fmt: skip
        metrics.gauge("in_hand", "Samples read from Kafka and not done.", lambda: flow.in_hand)
        async with reader, flow.running():
            async for events in stream.noack_take(AT_MOST, within=WITHIN):
                await flow.take(
                    [(Record.of_message(event.message), event) for event in current_events(app, events)]
                )

    async def close() -> None:
        if cache is not None:
            cache.close()

    app.close_at_stop(close)
