"""Writing: record batches, acknowledged by the broker before anyone goes on."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka.errors import KafkaError

from siftstream.schemas.errors import BadRecord, EmitTimeout, UnavailableError
from siftstream.streams.partition import partition_of_key
from siftstream.streams.record import Outgoing
from siftstream.streams.settings import PipelineSettings
from siftstream.streams.topics import partitions_of
from siftstream.streams.transport import MAX_RECORD_BYTES


class Emitter:
    """Sends outputs and returns when every one of them is acknowledged (acks=all, idempotent)."""

    def __init__(self, app: Any, pipeline: PipelineSettings, *, deadline: float) -> None:
        """Args: the Faust app whose producer is used; the names; seconds to wait at most."""
        self._app = app
        self._pipeline = pipeline
        self._deadline = deadline

    async def send(self, outputs: Sequence[Outgoing]) -> None:
        """Write all outputs; those of one partition in one record batch while they fit.

        A record batch is in the log whole or not at all.

        Raises:
            EmitTimeout: not acknowledged within the deadline.
            UnavailableError: the broker refused.
        """
        if not outputs:
            return
        try:
            async with asyncio.timeout(self._deadline):
                producer = await self._app.maybe_start_producer()
                pending = [
                    future
                    for (topic, partition), group in self._by_partition(outputs).items()
                    for future in await self._append(producer.batches, topic, partition, group)
                ]
                await asyncio.gather(*pending)
        except TimeoutError as error:
            raise EmitTimeout(
                f"{len(outputs)} outputs were not acknowledged within {self._deadline:g} s: is the broker up?"
            ) from error
        except KafkaError as error:
            raise UnavailableError(f"the broker refused {len(outputs)} outputs: {error!r}") from error

    def _by_partition(self, outputs: Sequence[Outgoing]) -> dict[tuple[str, int], list[Outgoing]]:
        groups: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        for output in outputs:
            partition = output.partition
            if partition is None:
                count = partitions_of(output.topic, self._pipeline)
                partition = partition_of_key(output.key or b"", count)
            groups[self._pipeline.topic(output.topic), partition].append(output)
        return groups

    async def _append(
        self, producer: Any, topic: str, partition: int, group: Sequence[Outgoing]
    ) -> list[asyncio.Future[Any]]:
        sent: list[asyncio.Future[Any]] = []
        batch = producer.create_batch()
        for output in group:
            record = {
                "key": output.key, "value": output.value, "timestamp": int(output.timestamp * 1000),
                "headers": list(output.headers),
            }  # fmt: skip
            if batch.append(**record) is None:  # full; a new one takes its first record whatever its size
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(**record)
        sent.append(await producer.send_batch(batch, topic, partition=partition))
        return sent


def check_sizes(outputs: Sequence[Outgoing]) -> None:
    """Let no output out that the broker would refuse each time it is tried.

    Raises:
        BadRecord: an output is larger than a record may be.
    """
    for output in outputs:
        size = len(output.value or b"")
        if size > MAX_RECORD_BYTES:
            raise BadRecord(
                f"{output.topic}: an output of {size:,} bytes is over the {MAX_RECORD_BYTES:,} of a record;"
                " make the sample or the micro-batch smaller"
            )
