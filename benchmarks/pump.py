"""What one event costs between the consumer's queue and its acknowledgement, without a broker.

`python -m benchmarks.pump` prints microseconds of CPU an event for Faust's `noack_take` and for our pump, in
turn, as minimum, median and maximum: the queue is full of events, the stage does nothing but acknowledge.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import process_time
from typing import Any

from faust.types import TP
from faust.types.tuples import ConsumerMessage

from siftstream.schemas import DataUri
from siftstream.streams.app import StageApp, make_app
from siftstream.streams.pump import pump
from siftstream.streams.settings import KafkaSettings, PipelineSettings

AT_MOST = 256
WITHIN = 0.01  # seconds
Take = Callable[[StageApp, Any], AsyncIterator[Any]]
TAKES: dict[str, Take] = {
    "noack_take": lambda app, stream: stream.noack_take(AT_MOST, within=WITHIN),
    "pump": lambda app, stream: pump(app, stream, at_most=AT_MOST, within=WITHIN),
}


def filled(app: StageApp, queue: Any, topic: str, count: int) -> None:
    """Put events into a queue as the consumer does."""
    consumer: Any = app.consumer
    tp = TP(topic, 0)
    consumer._committed_offset[tp] = None
    for offset in range(count):
        message = ConsumerMessage(topic, 0, offset, 0.0, 0, None, None, b"uri", None, tp=tp, generation_id=0)
        message.refcount = 1
        consumer.ledgers[tp].deliver(offset)
        queue.put_nowait(app.create_event(None, b"uri", {}, message))


async def cost(take: Take, folder: Path, count: int) -> float:
    """Return microseconds of CPU an event."""
    app = make_app(
        "fetch", PipelineSettings(), KafkaSettings(bootstrap_servers="127.0.0.1:1"), state_dir=folder,
        buffer=count + 1,
    )  # fmt: skip
    app.flow_control.resume()
    app.consumer_generation_id = 0
    source = app.source(DataUri)
    stream: Any = source.stream()
    topics: Any = app.topics
    topics._acking_topics.add(source.get_topic_name())
    filled(app, stream.channel.queue, source.get_topic_name(), count)
    began, done = process_time(), 0
    async for events in take(app, stream):
        for event in events:
            await stream.ack(event)
        done += len(events)
        if done == count:
            break
    seconds = process_time() - began
    stream.channel._throw(StopAsyncIteration())
    await stream.stop()
    consumer: Any = app.consumer
    assert consumer.ledgers[TP(source.get_topic_name(), 0)].position == count
    consumer._thread.thread_loop.close()
    return 1e6 * seconds / count


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in TAKES}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            for name, take in TAKES.items():
                found[name].append(asyncio.run(cost(take, Path(folder), options.count)))
    for name, values in found.items():
        print(
            f"{name:10} {min(values):6.1f} {statistics.median(values):6.1f} {max(values):6.1f} us an event"
            " (minimum, median, maximum)"
        )


if __name__ == "__main__":
    main()
