"""Worker processes of the loss tests: started, signalled, listened to, and never left behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import RetriableError

from siftstream.streams.topics import ensure_topics
from tests.streams.kafka_parts import pipeline, read_until, reader, send, settings


def wait_for(look: Callable[[], Any], what: str, within: float = 30.0) -> Any:
    """Return what `look` sees as soon as it is true; fail when the time is over."""
    end = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < end, f"{what}: not within {within:g} s"
        time.sleep(0.03)
    return seen


class Workers:
    """The workers of one pipeline, and its topics."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path, kind: str) -> None:
        self.bootstrap, self.prefix, self.folder, self.kind = bootstrap, prefix, folder, kind
        self.pipeline = pipeline(prefix)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        ensure_topics(settings(bootstrap), self.pipeline)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.running):
            self.end(name, signal.SIGKILL)

    def start(self, name: str) -> None:
        """Start a worker, as a static member of the group under this name."""
        arguments = [self.kind, self.bootstrap, self.prefix, str(self.folder), name]
        with (self.folder / f"{name}.out").open("ab") as out, (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.streams.loss_worker", *arguments], stdout=out, stderr=log
            )

    def end(self, name: str, number: signal.Signals) -> None:
        """Send a signal and wait for the worker's end."""
        worker = self.running.pop(name)
        worker.send_signal(number)
        try:
            worker.wait(30)
        finally:
            worker.kill()
            worker.wait()

    def hold(self) -> None:
        """Let no slow record be finished until `release`."""
        (self.folder / "hold").touch()

    def release(self) -> None:
        (self.folder / "hold").unlink()

    def said(self, name: str, word: str) -> list[str]:
        """The lines of a worker that begin with this word."""
        lines = (self.folder / f"{name}.out").read_text().splitlines()
        return [line for line in lines if line.startswith(word)]

    def put(self, values: list[str], partition: int = 0) -> None:
        asyncio.run(
            send(self.bootstrap, self.pipeline.topic("data-uris"), [v.encode() for v in values], partition)
        )

    def out(self, enough: Callable[[set[str]], bool], within: float = 40.0) -> set[str]:
        """What came out, read until it is enough."""
        return asyncio.run(self._out(enough, within))

    async def _out(self, enough: Callable[[set[str]], bool], within: float) -> set[str]:
        def values(records: list[Any]) -> set[str]:
            return {record.value.decode() for record in records}

        async with reader(
            self.bootstrap, self.pipeline.topic("scores"), self.pipeline.partitions
        ) as consumer:
            return values(await read_until(consumer, lambda records: enough(values(records)), within))

    def committed(self, partition: int = 0) -> tuple[int, str]:
        """Offset and metadata of the group's commit; -1 without one."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            groups = admin.list_group_offsets([self.pipeline.group("fetch")])
        except RetriableError:  # the first commits on this broker: its coordinator is being made
            return -1, ""
        finally:
            admin.close()
        where = TopicPartition(self.pipeline.topic("data-uris"), partition)
        found = next(iter(groups.values())).get(where)
        return (-1, "") if found is None else (found.offset, found.metadata or "")
