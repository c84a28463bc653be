"""The fetch stage: URIs in, model-ready micro-batches out, on each sample's own partition."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.schemas import DataUri, Features
from siftstream.streams.app import StageApp
from siftstream.streams.partition import partition_of
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.work import Work, decoded, work_through


@dataclass(frozen=True)
class Fetched:
    """One sample, ready for the model."""

    event: DataUri
    inputs: NDArray[Any]


def attach(app: StageApp, settings: FetchSettings, transform: Transform) -> None:
    """Make `app` the fetch stage."""
    reader = Reader(settings)
    decoders = ThreadPoolExecutor(settings.decode_threads, thread_name_prefix="decode")

    async def fetched(event: DataUri) -> Fetched:
        data = await reader.read(event.uri)
        inputs = await asyncio.get_running_loop().run_in_executor(decoders, transform, data)
        return Fetched(event, inputs)

    async def handle(records: Sequence[Record]) -> Work:
        work = Work()
        uris = decoded(DataUri, records, work)
        results = await asyncio.gather(*(fetched(event) for _, event in uris), return_exceptions=True)
        samples: list[Fetched] = []
        for (record, _), result in zip(uris, results, strict=True):
            if isinstance(result, Fetched):
                samples.append(result)
            elif isinstance(result, Exception):
                work.refuse(record, result)
            else:
                raise result  # cancelled
        work.outputs += packed(samples, app.pipeline.partitions, settings)
        return work

    @app.agent(app.source(DataUri), name="fetch")
    async def fetch(stream: Any) -> None:
        async with reader:
            await work_through(app, stream, handle, at_most=256, within=settings.linger)

    async def close() -> None:
        decoders.shutdown(wait=False, cancel_futures=True)

    app.close_at_stop(close)


def packed(samples: Sequence[Fetched], partitions: int, settings: FetchSettings) -> list[Outgoing]:
    """Pack samples into micro-batches, each on the partition of its samples, within the size limits."""
    places: dict[int, list[Fetched]] = defaultdict(list)
    for sample in samples:
        places[partition_of(sample.event.sample_id, partitions)].append(sample)
    outputs: list[Outgoing] = []
    for partition, group in places.items():
        most = max(1, min(settings.micro_batch, settings.micro_batch_bytes // max(1, group[0].inputs.nbytes)))
        for start in range(0, len(group), most):
            batch = _features(group[start : start + most])
            outputs.append(Outgoing(Features.topic, batch.encode(), partition=partition))
    return outputs


def _features(group: Sequence[Fetched]) -> Features:
    return Features(
        sample_ids=[sample.event.sample_id for sample in group],
        uris=[sample.event.uri for sample in group],
        event_times=np.array([sample.event.event_time for sample in group]),
        metadata=[sample.event.metadata for sample in group],
        inputs=np.stack([sample.inputs for sample in group]),
    )
