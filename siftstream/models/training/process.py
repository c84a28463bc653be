"""The trainer's child as its parent holds it: hear it, know when it ends, leave nothing of it behind."""

import asyncio
import contextlib
import os
import signal
from asyncio import SubprocessTransport
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, cast

from siftstream.schemas import Progress
from siftstream.schemas.errors import TrainingError

Told = Callable[[Progress], None]
LOOK_S = 0.1  # how often a running child is looked at
_LAST_WORDS_S = 2.0  # for what a child that has ended still says
_TAIL = 4_000  # bytes of its stderr that are kept for the reason
_LINE = 65_536  # bytes of a line at most


class Child(asyncio.SubprocessProtocol):
    """One child process, in a process group of its own: what it forks ends with it.

    A group and not a session, because Linux shares processors among sessions first: niceness would not count.
    """

    def __init__(self) -> None:
        self._told: Told | None = None
        self._trouble: Exception | None = None
        self._line = b""
        self._stderr = b""
        self._transport: SubprocessTransport | None = None
        self._exited, self._closed = asyncio.Event(), asyncio.Event()
        self._ending: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, command: tuple[str, ...]) -> Self:
        """Start it; it waits for a job.

        Raises:
            TrainingError: the system does not start it.
        """
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        try:
            _, child = await asyncio.get_running_loop().subprocess_exec(
                cls, *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, process_group=0, env=environment
            )
        except OSError as error:
            raise TrainingError(f"training: the child process cannot be started: {error}") from error
        return child

    @property
    def alive(self) -> bool:
        """Whether it runs, or waits."""
        return not self._exited.is_set()

    @property
    def pid(self) -> int:
        """Its process id, also its group's."""
        return cast(SubprocessTransport, self._transport).get_pid()

    @property
    def last_words(self) -> str:
        """The last line that it said on stderr."""
        lines = self._stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    async def run(self, job_dir: Path, told: Told, look: Callable[[], None]) -> int:
        """Hand over the job (it has our working directory), and return the exit code.

        Args:
            job_dir: The job.
            told: Hears progress; what it raises is raised here.
            look: Called ten times a second; what it raises is raised here.
        """
        self._told = told
        self._pipe(0).write(f"{job_dir}\n".encode())
        while not self._exited.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._exited.wait()
            self._raise_trouble()
            if not self._exited.is_set():
                look()
        self._kill()  # what it forked holds its pipes
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._closed.wait()
        self._raise_trouble()
        return cast(int, cast(SubprocessTransport, self._transport).get_returncode())

    async def end(self) -> None:
        """Kill it and all that it forked, and reap it, also while this task is being cancelled."""
        self._kill()
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: not permitted on a zombie
            os.killpg(self.pid, signal.SIGKILL)

    async def _end(self) -> None:
        await self._exited.wait()
        for number in range(3):  # somebody that left the group may hold the other ends
            self._pipe(number).close()
        await self._closed.wait()
        cast(SubprocessTransport, self._transport).close()

    def _pipe(self, number: int) -> Any:
        return cast(SubprocessTransport, self._transport).get_pipe_transport(number)

    def _raise_trouble(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It runs."""
        self._transport = cast(SubprocessTransport, transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """It said something: progress on stdout, anything on stderr."""
        if fd == 2:
            self._stderr = (self._stderr + data)[-_TAIL:]
            return
        *lines, rest = (self._line + data).split(b"\n")
        self._line = rest[-_LINE:]
        for line in lines:
            self._hear(line)

    def process_exited(self) -> None:
        """It ended."""
        self._exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended, and nobody holds its pipes any more."""
        self._closed.set()

    def _hear(self, line: bytes) -> None:
        try:
            progress = Progress.model_validate_json(line)
        except ValueError:
            return
        if self._told is not None and self._trouble is None:
            try:
                self._told(progress)
            except Exception as error:  # whoever runs the job hears of it
                self._trouble = error
