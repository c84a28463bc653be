"""The infer stage: micro-batches through the live model, scores out on the same partitions."""

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from siftstream.agents.infer.flow import Flow
from siftstream.agents.infer.live import LiveModel
from siftstream.agents.infer.model_lines import ModelLines
from siftstream.agents.infer.report import Report
from siftstream.agents.infer.rereads import listen
from siftstream.agents.infer.settings import InferSettings
from siftstream.models.encoder import Encoder
from siftstream.schemas import Features
from siftstream.streams.app import StageApp
from siftstream.streams.metrics import Metrics
from siftstream.streams.pump import pump
from siftstream.streams.record import Record
from siftstream.streams.work import current_events, finish_patiently

WITHIN = 0.005  # seconds for which arriving records are taken together at most
AT_MOST = 16
RUNS_ON_A_GPU = 2  # one copies while the other computes


def attach(app: StageApp, settings: InferSettings, live: LiveModel, metrics: Metrics) -> None:
    """Make `app` the infer stage."""
    samples = metrics.counter("samples", "Samples done, by outcome.", label="outcome")
    models = ModelLines(settings, live, metrics)
    rereading = listen(app, live, settings.batch.min, metrics)

    @app.agent(app.source(Features), name="infer")
    async def infer(stream: Any) -> None:
        async def ack(events: Sequence[Any]) -> None:
            for event in events:
                await stream.ack(event)

        def note(text: str) -> None:
            app.safe_consumer.note = text

        await models.begin()
        runs = settings.runs or runs_for(live.model.encoder)
        flow = Flow(
            settings, runs, models.routing,
            send=partial(finish_patiently, app), ack=ack, count=samples, done=models.done,
        )  # fmt: skip
        report = Report(live.deployment.line, runs, metrics, note)
        report.of(live.model)
        metrics.gauge("in_hand", "Samples read from Kafka and not done.", lambda: flow.in_hand)
        models.listen(app, flow.idle)
        app.add_future(rereading.run(flow.idle))
        async with flow.running():
            async for events in pump(app, stream, at_most=AT_MOST, within=WITHIN):
                report.of(live.model)
                await flow.take(
                    [(Record.of_message(event.message), event) for event in current_events(app, events)]
                )


def runs_for(encoder: Encoder) -> int:
    """Return how many device batches run at once where nothing is configured: no more threads than cores."""
    if encoder.choice.provider != "cpu":
        return RUNS_ON_A_GPU
    if not encoder.threads:  # one run takes every core
        return 1
    return max(1, cores() // encoder.threads)


def cores() -> int:
    """Return the cores that this process may use."""
    return len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0))
