"""A pipeline to measure: its stages as processes of their own, and what each of them used."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil
import yaml

from siftstream.bench.encoders import published as published  # what a benchmark of a pipeline needs besides
from siftstream.bench.failed import BenchFailed as BenchFailed
from siftstream.bench.memory import forget_peak, peak_bytes
from siftstream.bench.pictures import images as images
from siftstream.cli.supervisor import last_line
from siftstream.settings import Settings
from siftstream.settings.load import settings_from
from siftstream.streams.topics import ensure_topics

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
LOOK_EVERY_S = 0.02
OVERRIDES = ("SIFTSTREAM_", "KAFKA_BOOTSTRAP_SERVERS")


@dataclass(frozen=True)
class Usage:
    """What a process used since the last mark: CPU seconds, and its memory now and at the highest since."""

    cpu_s: float
    rss_bytes: int
    peak_bytes: int


class Running:
    """Stages as `siftstream worker` processes for as long as the block lasts, however it ends.

    >>> with Running(config, folder=Path("bench"), replicas={"infer": 2}) as running:  # doctest: +SKIP
    ...     running.watch("broker", broker.pid)
    ...     print(running.usage()["infer-1"].cpu_s)
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        folder: Path,
        stages: Sequence[str] = ("fetch", "infer", "select"),
        replicas: Mapping[str, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Describe them.

        Args:
            config: The whole configuration, with `kafka.bootstrap_servers`.
            folder: Where the configuration and the logs (`STAGE.log`) are written; made if missing.
            stages: Which stages run.
            replicas: Processes a stage; one where none is given. Those of several are called `infer-0`, ....
            environment: Variables that they get besides ours.
        """
        self.settings: Settings = settings_from(dict(config))
        self.processes: dict[str, psutil.Process] = {}
        self._config, self._folder, self._environment = dict(config), folder, dict(environment or {})
        self._stages = {
            name: stage for stage in stages for name in names(stage, (replicas or {}).get(stage, 1))
        }
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._marks: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Make the topics, start the processes, wait until each is ready; what they used until then is gone.

        Raises:
            BenchFailed: one ended or was not ready in time.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "siftstream.yaml"
        path.write_text(yaml.safe_dump(self._config), encoding="utf-8")
        ensure_topics(self.settings.kafka, self.settings.pipeline)
        try:
            for name, stage in self._stages.items():
                self._start(name, stage, path)
            self._wait(time.monotonic() + READY_WITHIN_S)
        except BaseException:
            self.stop()
            raise
        self.mark()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes that were started here, and no other."""
        self.stop()

    def watch(self, name: str, pid: int) -> None:
        """Count a process too that somebody else started, from now on: the broker, the one that pushes."""
        self.processes[name] = psutil.Process(pid)
        self._mark(name)

    def forget(self, name: str) -> None:
        """Count a watched process no longer."""
        del self.processes[name]

    def mark(self) -> None:
        """Let every figure begin here: call it after a warm-up."""
        for name in self.processes:
            self._mark(name)

    def check(self) -> None:
        """Raise BenchFailed if one of our processes has ended."""
        for name in self._children:
            self._require(name)

    def usage(self) -> dict[str, Usage]:
        """Return what each process used since the last mark.

        Raises:
            BenchFailed: a process has ended.
        """
        return {name: self._usage(name) for name in self.processes}

    def log(self, name: str) -> Path:
        """Return the file that holds what a process said."""
        return self._folder / f"{name}.log"

    def stop(self) -> None:
        """End all of them in order; those that do not within 20 s are killed."""
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            try:
                child.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdin:
                child.stdin.close()
        self._children.clear()

    def _start(self, name: str, stage: str, path: Path) -> None:
        command = [sys.executable, "-m", "siftstream", "worker", stage, "--with-parent", "-c", str(path)]
        with self.log(name).open("wb") as log:
            self._children[name] = spawn(command, log, self._environment)
        self.processes[name] = psutil.Process(self._children[name].pid)

    def _wait(self, until: float) -> None:
        waiting = set(self._children)
        while waiting:
            waiting -= {name for name in waiting if b" runs on " in self.log(name).read_bytes()}
            for name in waiting:
                self._require(name)
                if time.monotonic() > until:
                    raise BenchFailed(f"{name} was not ready within {READY_WITHIN_S:g} s: {self._last(name)}")
            time.sleep(LOOK_EVERY_S)

    def _require(self, name: str) -> None:
        child = self._children.get(name)
        if child is not None and child.poll() is not None:
            raise BenchFailed(f"{name} ended with exit code {child.returncode}: {self._last(name)}")

    def _last(self, name: str) -> str:
        return f"{last_line(self.log(name), 0) or 'it said nothing'} (log: {self.log(name)})"

    def _mark(self, name: str) -> None:
        process = self.processes[name]
        forget_peak(process)
        self._marks[name] = cpu_seconds(process)

    def _usage(self, name: str) -> Usage:
        self._require(name)
        process = self.processes[name]
        try:
            rss = int(process.memory_info().rss)
            return Usage(cpu_seconds(process) - self._marks[name], rss, max(rss, peak_bytes(process)))
        except psutil.Error as error:
            raise BenchFailed(f"{name} (process {process.pid}) has ended: its figures are gone") from error


def names(stage: str, replicas: int) -> list[str]:
    """Return the names of a stage's processes.

    >>> names("fetch", 1), names("infer", 2)
    (['fetch'], ['infer-0', 'infer-1'])
    """
    return [stage] if replicas == 1 else [f"{stage}-{number}" for number in range(replicas)]


def spawn(command: Sequence[str], log: IO[bytes], more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a process that ends when its standard input does, without overrides in its environment."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(OVERRIDES)}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=log, stderr=log, env={**ours, **more}, start_new_session=True
    )


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds of a process so far, in user and kernel."""
    times: Any = process.cpu_times()
    return float(times.user + times.system)
