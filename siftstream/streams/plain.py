"""A plain consumer: no group, it reads what it is assigned from where it is sought to."""

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from siftstream.schemas.errors import UnavailableError
from siftstream.streams.settings import KafkaSettings

STARTS_IN_S: Final = 2.0  # a start is let finish when the caller is cancelled: in mid-start aiokafka leaks


async def plain_consumer(kafka: KafkaSettings, *, held_ms: int) -> Any:
    """Return a started consumer; `close` it.

    Args:
        kafka: The cluster.
        held_ms: A request that finds nothing is held by the broker for so long; others on this consumer
            wait behind it.

    Raises:
        UnavailableError: the cluster does not answer.
    """
    consumer: Any = AIOKafkaConsumer(
        group_id=None, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=held_ms,
        fetch_max_bytes=64 << 20, max_partition_fetch_bytes=8 << 20, **kafka.client_options(),
    )  # fmt: skip
    starting = asyncio.ensure_future(consumer.start())
    try:
        await asyncio.shield(starting)
    except KafkaError as error:
        await close(consumer)
        raise UnavailableError(f"Kafka at {kafka.bootstrap_servers} does not answer: {error!r}") from error
    except BaseException:
        await asyncio.wait({starting}, timeout=STARTS_IN_S)
        starting.cancel()
        await asyncio.wait({starting})
        await close(consumer)
        raise
    return consumer


async def close(consumer: Any) -> None:
    """Stop a consumer, also while its broker is away.

    aiokafka 0.14 then cancels a request of its own that pauses before its next try, lets that cancellation
    out of `stop`, where it would end the caller, and leaves its connections open.
    """
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait({stopping})
    if stopping.cancelled():
        await consumer._client.close()
    else:
        stopping.result()
