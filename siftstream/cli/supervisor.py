"""Child processes kept alive: started, restarted with growing pauses when they die, stopped together."""

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from siftstream.schemas.errors import SiftError
from siftstream.settings import Settings

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
HEALTHY_AFTER_S = 60.0
QUICK_S = 15.0
QUICK_ENDS, QUICK_ENDS_WITHIN_S = 5, 60.0
STOP_WITHIN_S = 6.0
LOG_LIMIT = 10 << 20


@dataclass(frozen=True)
class Process:
    """A child: its name and its command, which should end when its standard input does."""

    name: str
    command: tuple[str, ...]

    @classmethod
    def siftstream(cls, name: str, *arguments: str) -> Self:
        """One of our own commands.

        >>> Process.siftstream("oracle", "oracle").command[1:]
        ('-m', 'siftstream', 'oracle', '--with-parent')
        """
        return cls(name, (sys.executable, "-m", "siftstream", *arguments, "--with-parent"))

    @classmethod
    def worker(cls, stage: str, number: int) -> Self:
        """One replica of a stage.

        >>> Process.worker("infer", 1).name
        'infer-1'
        """
        name = f"{stage}-{number}"
        return cls.siftstream(name, "worker", stage, "--instance", name)


@dataclass(frozen=True)
class Happening:
    """Something to tell: which process, what happened, and the sentence for it."""

    name: str
    kind: Literal["started", "ended", "failed", "stopped", "killed"]
    words: str


@dataclass
class ProcessStatus:
    """How a process is now."""

    name: str
    log: Path
    pid: int | None = None  # None while it waits for its restart
    restarts: int = 0
    started_at: float = 0.0  # seconds since the epoch
    reason: str = ""  # why it ended last time
    quick_ends: deque[float] = field(default_factory=lambda: deque[float](maxlen=QUICK_ENDS))


class ProcessFailed(SiftError):
    """A process ends again and again as soon as it starts; the message says why."""


class Supervisor:
    """Keeps processes alive inside `async with`.

    >>> async def keep(settings):  # doctest: +SKIP
    ...     async with Supervisor(settings, [Process.worker("fetch", 0)], print) as supervisor:
    ...         await supervisor.failed()  # or whatever the caller waits for
    """

    def __init__(
        self,
        settings: Settings,
        processes: Sequence[Process],
        on_event: Callable[[Happening], None] = lambda happening: None,
    ) -> None:
        """Describe the processes; all of them get `settings` as their configuration, by a file."""
        self._settings = settings
        self._processes = tuple(processes)
        self._tell = on_event
        self._logs = settings.state.absolute() / "logs"
        self._status = {p.name: ProcessStatus(p.name, self._logs / f"{p.name}.log") for p in self._processes}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None] | None = None

    def status(self) -> list[ProcessStatus]:
        """How each process is now, in the order they were named."""
        return list(self._status.values())

    async def failed(self) -> None:
        """Wait until a process cannot be kept alive.

        Raises:
            ProcessFailed: always, when that has happened.
        """
        assert self._failed is not None, "use `async with`"
        await asyncio.shield(self._failed)

    async def __aenter__(self) -> Self:
        """Start all of them."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._config = write_settings(self._settings)
        self._failed = asyncio.get_running_loop().create_future()
        self._keepers = [asyncio.ensure_future(self._keep(process)) for process in self._processes]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all of them."""
        await self.stop()

    async def stop(self, within: float = STOP_WITHIN_S) -> None:
        """SIGTERM to all at once, SIGKILL to those that are there `within` seconds later."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []
        if self._failed is not None and not self._failed.done():
            self._failed.cancel()
        children, self._running = self._running, {}
        for child in children.values():
            _signal(child, signal.SIGTERM)
        waits = {name: asyncio.ensure_future(child.wait()) for name, child in children.items()}
        if waits:
            await asyncio.wait(waits.values(), timeout=within)
        for name, wait in waits.items():
            if not wait.done():
                _signal(children[name], signal.SIGKILL)
                self._happened(name, "killed", f"did not stop within {within:g} s and was killed")
            await wait
            _let_go(children[name])
            self._status[name].pid = None

    async def _keep(self, process: Process) -> None:
        """Start a process, wait for its end, tell why, pause, start it again."""
        status, pause = self._status[process.name], FIRST_PAUSE_S
        try:
            while True:
                began, log_start = time.monotonic(), roll(status.log)
                code = await self._one_life(process, status)
                lived = time.monotonic() - began
                status.reason = f"{ending(code)}: {last_line(status.log, log_start) or 'without a word'}"
                if code > 0 and lived < QUICK_S:
                    status.quick_ends.append(time.monotonic())
                    if hopeless(status.quick_ends):
                        break
                pause = FIRST_PAUSE_S if lived > HEALTHY_AFTER_S else pause
                self._happened(process.name, "ended", f"{status.reason}; starts again in {pause:g} s")
                await asyncio.sleep(pause)
                status.restarts += 1
                pause = min(2 * pause, LONGEST_PAUSE_S)
            self._give_up(status, f"ended {QUICK_ENDS} times within a minute, {status.reason}")
        except OSError as error:
            self._give_up(status, f"cannot be started: {error}")

    async def _one_life(self, process: Process, status: ProcessStatus) -> int:
        with status.log.open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                *process.command,
                stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log, env=self._environment(),
                start_new_session=True,  # Ctrl-C in the terminal reaches us alone, and we stop it in order
            )  # fmt: skip
        self._running[process.name] = child
        status.pid, status.started_at = child.pid, time.time()
        self._happened(process.name, "started", f"started (process {child.pid})")
        code = await child.wait()
        del self._running[process.name]
        status.pid = None
        _let_go(child)
        return code

    def _environment(self) -> dict[str, str]:
        """Ours, with the configuration; the password is never written to a file."""
        password = self._settings.kafka.sasl_password
        secret = {"SIFTSTREAM_KAFKA__SASL_PASSWORD": password.get_secret_value()} if password else {}
        return {**os.environ, **secret, "SIFTSTREAM_CONFIG": str(self._config)}

    def _give_up(self, status: ProcessStatus, words: str) -> None:
        self._happened(status.name, "failed", words)
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(ProcessFailed(f"{status.name} {words} (log: {status.log})"))

    def _happened(self, name: str, kind: Any, words: str) -> None:
        self._tell(Happening(name, kind, words))


def write_settings(settings: Settings) -> Path:
    """Write the configuration for the children, secrets left out; return the file."""
    file = settings.state.absolute() / "effective.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    values = settings.model_dump(mode="json", exclude={"kafka": {"sasl_password"}})
    values["state"] = str(settings.state.absolute())
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return file


def hopeless(quick_ends: Sequence[float]) -> bool:
    """Whether a process ended so often so quickly that another start is no use.

    >>> hopeless([0.0, 2.0, 5.0, 9.0, 20.0]), hopeless([0.0, 2.0, 5.0, 9.0, 90.0])
    (True, False)
    """
    return len(quick_ends) == QUICK_ENDS and quick_ends[-1] - quick_ends[0] < QUICK_ENDS_WITHIN_S


def ending(code: int) -> str:
    """Say how a process ended.

    >>> ending(1), ending(-9)
    ('ended with exit code 1', 'ended by SIGKILL')
    """
    if code >= 0:
        return f"ended with exit code {code}"
    return f"ended by {signal.Signals(-code).name}"


def roll(log: Path) -> int:
    """Put a grown log aside; return where the next life's part begins."""
    size = log.stat().st_size if log.exists() else 0
    if size <= LOG_LIMIT:
        return size
    log.replace(log.with_name(f"{log.name}.1"))
    return 0


def last_line(log: Path, start: int) -> str:
    """Return the last line that was written after `start`."""
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(start, end - 4096))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _let_go(child: asyncio.subprocess.Process) -> None:
    if child.stdin is not None:
        child.stdin.close()


def _signal(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    try:
        child.send_signal(number)
    except ProcessLookupError:
        pass
