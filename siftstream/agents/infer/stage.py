"""The infer stage: micro-batches through the live model, scores out on the same partitions."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from siftstream.agents.infer.live import LiveModel
from siftstream.schemas import Features, Scores
from siftstream.schemas.arrays import joined
from siftstream.schemas.errors import InferenceError
from siftstream.streams.app import StageApp
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.work import Work, decoded, work_through

WITHIN = 0.01  # seconds a device batch waits to fill
AT_MOST = 16  # micro-batches a device batch


def attach(app: StageApp, live: LiveModel) -> None:
    """Make `app` the infer stage."""
    runner = ThreadPoolExecutor(1, thread_name_prefix="onnxruntime")

    async def handle(records: Sequence[Record]) -> Work:
        work = Work()
        batches = decoded(Features, records, work)
        if batches:
            model = live.model  # the same one for the whole batch
            inputs = joined([batch.inputs for _, batch in batches])
            predict = asyncio.get_running_loop().run_in_executor(runner, model.predict, inputs)
            probs, embeddings = await predict
            if not (np.isfinite(probs).all() and np.isfinite(embeddings).all()):
                raise InferenceError(f"model {model.version} answered with a number that is not finite")
            start = 0
            for record, batch in batches:
                rows = slice(start, start + len(batch))
                scores = _scores(batch, probs[rows], embeddings[rows], model.version, model.encoder.sha256)
                work.outputs.append(Outgoing(Scores.topic, scores.encode(), partition=record.partition))
                start += len(batch)
        return work

    @app.agent(app.source(Features), name="infer")
    async def infer(stream: Any) -> None:
        await live.begin()
        await work_through(app, stream, handle, at_most=AT_MOST, within=WITHIN)

    async def close() -> None:
        runner.shutdown(wait=False, cancel_futures=True)

    app.close_at_stop(close)


def _scores(batch: Features, probs: Any, embeddings: Any, version: str, encoder: str) -> Scores:
    return Scores(
        sample_ids=batch.sample_ids, uris=batch.uris, event_times=batch.event_times,
        metadata=batch.metadata, probs=probs, embeddings=_half(embeddings),
        model_version=version, encoder=encoder,
    )  # fmt: skip


def _half(embeddings: Any) -> Any:
    """Embeddings travel as float16; what is beyond its range is brought to its edge."""
    limit = np.finfo(np.float16).max
    return np.clip(embeddings, -limit, limit).astype(np.float16)
