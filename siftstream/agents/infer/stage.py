"""The infer stage: micro-batches through the live model, scores out on the same partitions."""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from siftstream.agents.infer.line import Line
from siftstream.agents.infer.live import LiveModel
from siftstream.agents.infer.settings import InferSettings
from siftstream.schemas import Features
from siftstream.streams.app import StageApp
from siftstream.streams.metrics import Metrics
from siftstream.streams.record import Record
from siftstream.streams.work import current_events, finish_patiently

WITHIN = 0.005  # seconds in which arriving records are taken together
AT_MOST = 16
RUNS_ON_A_GPU = 2  # one copies while the other computes


def attach(app: StageApp, settings: InferSettings, live: LiveModel, metrics: Metrics) -> None:
    """Make `app` the infer stage."""
    samples = metrics.counter("samples", "Samples done, by outcome.", label="outcome")

    @app.agent(app.source(Features), name="infer")
    async def infer(stream: Any) -> None:
        async def ack(events: Sequence[Any]) -> None:
            for event in events:
                await stream.ack(event)

        await live.begin()
        line = Line(
            settings, settings.runs or runs_for(live.model.encoder.provider), lambda: live.model,
            send=partial(finish_patiently, app), ack=ack, count=samples,
        )  # fmt: skip
        metrics.gauge("in_hand", "Samples read from Kafka and not done.", lambda: line.in_hand)
        async with line.running():
            async for events in stream.noack_take(AT_MOST, within=WITHIN):
                await line.take(
                    [(Record.of_message(event.message), event) for event in current_events(app, events)]
                )


def runs_for(provider: str) -> int:
    """Return how many device batches run at once where nothing is configured."""
    if provider != "CPUExecutionProvider":
        return RUNS_ON_A_GPU
    cores = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    return len(cores)
