"""The parent's side of a training run: start the child, hear it, keep the deadline, always reap it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, cast

from siftstream.models.training.job import REPORT, Report, read_report
from siftstream.schemas.errors import TrainingError

CHILD = (sys.executable, "-m", "siftstream.models.training.child")
_TAIL = 4_000  # characters of the child's stderr that are kept for the reason

Told = Callable[[dict[str, Any]], None]


async def train(job_dir: Path, timeout: float, told: Told | None = None) -> Report:
    """Run one job in a child of its own; as `Trainer.train`, without a spare child."""
    async with Trainer(prewarm=False) as trainer:
        return await trainer.train(job_dir, timeout, told)


class Trainer:
    """Runs jobs in child processes, one job a child.

    With `prewarm`, a spare child has torch imported already and waits for the next job; `warm` starts it
    ahead of the first. No child outlives `close`, a cancelled `train`, or this process however it ends.
    """

    def __init__(self, *, prewarm: bool = True, command: tuple[str, ...] = CHILD) -> None:
        self._prewarm = prewarm
        self._command = command
        self._spare: _Child | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def warm(self) -> None:
        """Start the spare child if there is none; returns while it still imports torch."""
        if self._spare is not None and self._spare.alive:
            return
        gone, self._spare = self._spare, None
        if gone is not None:
            await gone.end()
        self._spare = await _Child.start(self._command)

    async def train(self, job_dir: Path, timeout: float, told: Told | None = None) -> Report:
        """Run the job in `job_dir` and return its report; `told` hears progress lines as they come.

        Raises:
            TrainingError: it failed, took more than `timeout` seconds, or was killed; the message says which.
        """
        (job_dir / REPORT).unlink(missing_ok=True)
        await self.warm()
        child, self._spare = cast(_Child, self._spare), None
        try:
            async with asyncio.timeout(timeout):
                code = await child.run(job_dir, told or (lambda _: None))
        except TimeoutError:
            raise TrainingError(
                f"training: not done after {timeout:g} s and stopped; raise retrain.train.timeout,"
                " or lower epochs or max_steps"
            ) from None
        finally:
            await child.end()
        if self._prewarm:
            await self.warm()
        report = await asyncio.to_thread(read_report, job_dir)
        if code == 0 and report is not None and not report.error:
            return report
        raise TrainingError(_reason(code, report, child.stderr))

    async def close(self) -> None:
        """End the spare child, if there is one."""
        child, self._spare = self._spare, None
        if child is not None:
            await child.end()


class _Child:
    """One child process and the two tasks that read what it says."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._told: Told = lambda _: None
        self.stderr = ""
        self._readers = [asyncio.create_task(self._read_stdout()), asyncio.create_task(self._read_stderr())]

    @classmethod
    async def start(cls, command: tuple[str, ...]) -> Self:
        # A session of its own: Ctrl-C in a terminal reaches the parent, which ends the child in order.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True, env=environment
            )
        except OSError as error:
            raise TrainingError(f"training: the child process cannot be started: {error}") from error
        return cls(process)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def run(self, job_dir: Path, told: Told) -> int:
        """Hand over the job (the child has our working directory) and return the exit code."""
        self._told = told
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it died meanwhile; the exit code tells
            self._process.stdin.write(f"{job_dir}\n".encode())
            await self._process.stdin.drain()
        await asyncio.gather(*self._readers)
        return await self._process.wait()

    async def end(self) -> None:
        """Kill it if it lives, and reap it, also while this task is being cancelled."""
        await asyncio.shield(asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        cast(Any, self._process)._transport.close()  # asyncio leaves it to the garbage collector otherwise

    async def _read_stdout(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self._told(json.loads(line))

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(65_536):
            self.stderr = (self.stderr + chunk.decode(errors="replace"))[-_TAIL:]


def _reason(code: int, report: Report | None, stderr: str) -> str:
    """Say in one sentence why a child did not succeed."""
    if report is not None and report.error:
        return report.error if report.error.startswith("training") else f"training: {report.error}"
    if code == -signal.SIGKILL:
        return "training: the child was killed (out of memory?); the machine's log tells"
    last = (stderr.strip().splitlines() or ["it said nothing"])[-1]
    if code < 0:
        return f"training: the child died of {signal.Signals(-code).name}: {last}"
    return f"training: the child ended with code {code} and left no report: {last}"
