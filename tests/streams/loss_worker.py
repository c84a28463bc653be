"""A worker process of the loss tests: it copies `data-uris` to `scores`, held up where a test says so.

    python -m tests.streams.loss_worker KIND BOOTSTRAP PREFIX FOLDER INSTANCE

KIND is `batch` (work_through), `bunches` (the same on a coalesced topic), `each` (every record its own
task), `floor` (commits by floor), or one of them after `stock-`: Faust's own transport. While FOLDER has a
file named `hold`, records that begin with `slow` are not finished. What happens is written to standard
output, a line each.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver

from siftstream.schemas import DataUri
from siftstream.streams import app as app_module
from siftstream.streams import transport
from siftstream.streams.app import StageApp, make_app
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.work import Work, finish, work_through


def tell(*words: object) -> None:
    print(*words, flush=True, file=sys.__stdout__)  # Faust takes sys.stdout for its log


def copied(record: Record) -> Outgoing:
    return Outgoing("scores", record.value, record.value, partition=record.partition)


async def held(folder: Path, record: Record) -> None:
    """Come back when the record may be finished."""
    while (record.value or b"").startswith(b"slow") and (folder / "hold").exists():
        await asyncio.sleep(0.02)


def attach_batch(app: StageApp, folder: Path) -> None:
    """A stage as all of ours are."""

    async def handle(records: Sequence[Record]) -> Work:
        tell("handling", *(str(record.value, "utf-8") for record in records if record.value))
        for record in records:
            await held(folder, record)
        return Work([copied(record) for record in records])

    @app.agent(app.source(DataUri))
    async def batches(stream: Any) -> None:
        await work_through(app, stream, handle, at_most=16, within=0.05)


def attach_each(app: StageApp, folder: Path) -> None:
    """Every record is its own task, so a slow one is passed by the others."""

    async def one(stream: Any, event: Any) -> None:
        record = Record.of_message(event.message)
        await held(folder, record)
        await finish(app, Work([copied(record)]))
        await stream.ack(event)

    @app.agent(app.source(DataUri))
    async def each(stream: Any) -> None:
        async for event in stream.noack().events():
            app.add_future(one(stream, event))


def attach_floor(app: StageApp, folder: Path) -> None:
    """Acknowledges at once; half of what was read is still needed."""
    del folder
    restored = False

    @app.agent(app.source(DataUri))
    async def floor(stream: Any) -> None:
        nonlocal restored
        async for event in stream.noack().events():
            message = event.message
            if not restored:
                tell("restored", *(await app.consumer.committed(message.tp)), "first", message.offset)
                restored = True
            app.consumer.advance_floor(message.tp, message.offset // 2, f"head {message.offset}")
            await stream.ack(event)


def use_stock_transport() -> None:
    """Let the app run on Faust's own consumer, which lacks what ours adds."""
    transport.SCHEME = "kafka"
    driver.Producer.batches = property(lambda self: self._ensure_producer())  # type: ignore[attr-defined]

    async def no_watch() -> None:
        pass

    app_module.watch = lambda app, limit: no_watch


def main(kind: str, bootstrap: str, prefix: str, folder: Path, instance: str) -> None:
    if kind.startswith("stock-"):
        use_stock_transport()
    transport.Consumer.drain_seconds = 1.0
    app = make_app(
        "fetch", PipelineSettings(name=prefix, partitions=2), KafkaSettings(bootstrap_servers=bootstrap),
        state_dir=folder, instance=instance, floors=["data-uris"] if kind == "floor" else [],
        coalesced=["data-uris"] if kind == "bunches" else [],
    )  # fmt: skip
    attach = {"batch": attach_batch, "bunches": attach_batch, "each": attach_each, "floor": attach_floor}
    attach[kind.removeprefix("stock-")](app, folder)
    faust.Worker(app, loglevel="info").execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), sys.argv[5])
