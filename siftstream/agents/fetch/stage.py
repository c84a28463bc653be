"""The fetch stage: URIs in, model-ready micro-batches out, on each sample's own partition."""

from functools import partial
from typing import Any

from siftstream.agents.fetch.flow import Flow
from siftstream.agents.fetch.intake import acknowledging, arrivals
from siftstream.agents.fetch.loaders.cache import Cache
from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas import DataUri
from siftstream.streams.app import StageApp
from siftstream.streams.metrics import Metrics
from siftstream.streams.pump import pump
from siftstream.streams.work import current_events, finish_patiently

WITHIN = 0.01  # seconds for which arriving records are taken together at most
AT_MOST = 16


def attach(
    app: StageApp, settings: FetchSettings, transform: Transform, cache: Cache | None, metrics: Metrics
) -> None:
    """Make `app` the fetch stage."""
    samples = metrics.counter("samples", "Samples done, by outcome.", label="outcome")
    reader = Reader(settings, cache, count=metrics.counter("loads", "What happened to loads, by kind."))

    @app.agent(app.source(DataUri), name="fetch")
    async def fetch(stream: Any) -> None:
        flow = Flow(
            settings, transform, reader, app.pipeline.partitions,
            send=partial(finish_patiently, app), ack=acknowledging(stream.ack), count=samples,
        )  # fmt: skip
        metrics.gauge("in_hand", "URIs read from Kafka and not done.", lambda: flow.in_hand)
        async with reader, flow.running():
            async for events in pump(app, stream, at_most=AT_MOST, within=WITHIN):
                current = current_events(app, events)
                await flow.take([arrival for event in current for arrival in arrivals(event)])

    async def close() -> None:
        if cache is not None:
            cache.close()

    app.close_at_stop(close)
