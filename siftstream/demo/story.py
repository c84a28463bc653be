"""The run: a real Kafka, a process a stage, images streaming in, labels flowing back, a model growing."""

import asyncio
import shutil
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from siftstream.app import STAGES as WORKERS
from siftstream.cli.cluster import refuse_second
from siftstream.cli.local import local_kafka
from siftstream.cli.supervisor import Happening, Process, Supervisor
from siftstream.connectors.push import Pushed, push
from siftstream.demo.baseline import Spec, follow
from siftstream.demo.board import STAGES, Board
from siftstream.demo.digits import HELD_OUT, Digits, write_digits
from siftstream.demo.plan import AHEAD, Plan, own_environment
from siftstream.demo.result import Result, Step
from siftstream.demo.watch import Watcher
from siftstream.schemas.errors import SiftError, UnavailableError
from siftstream.settings import Settings
from siftstream.streams.topics import ensure_topics

LOOK_EVERY_S = 0.4
STARTED_WITHIN_S = 60.0
QUIET_LOOKS = 3
LEFTOVERS = ("state", "artifacts", "data", "report.html", "report.png", "result.json")

Tell = Callable[[str], None]
View = Callable[[Board], AbstractContextManager[object]]


class Stopped(Exception):
    """Somebody asked the demo to stop."""


class Story:
    """One run of the demo; `board` is what is known of it at any moment."""

    def __init__(self, plan: Plan, tell: Tell, view: View) -> None:
        """Args: what to run; who hears of each step of the set-up; what shows the board after it."""
        self._plan = plan
        self._tell = tell
        self._view = view
        self._began = time.monotonic()
        self._ready = 0.0  # when the set-up was done
        self._stopping = threading.Event()  # ends the push, which runs in a thread
        self.board = Board(Result(seed=plan.seed, images=0, holdout=HELD_OUT))

    def run(self) -> Result:
        """Run to the end, or until somebody stops it; what failed is in the result's `failure`."""
        result = self.board.result
        try:
            with own_environment():
                self._run()
        except (KeyboardInterrupt, Stopped):
            result.stopped = True
        except SiftError as error:
            result.failure = str(error)
        result.seconds = time.monotonic() - self._began
        return result

    def _run(self) -> None:
        settings = self._plan.settings()
        with self._step("data written as PNG files"):
            refuse_second(settings)
            clear(self._plan.out)
            digits = write_digits(self._plan.out / "data", self._plan.seed, self._plan.images)
        self.board.result.images = len(digits.stream)
        self.board.result.strategy = settings.select.strategy.name
        began, broker_began = time.monotonic(), time.time()
        with local_kafka(settings, self._tell, always=True) as (on_broker, _):
            self._note("Kafka ready", began)
            with self._step("topics made"):
                ensure_topics(on_broker.kafka, on_broker.pipeline)
            asyncio.run(self._stages(on_broker, digits, broker_began))

    async def _stages(self, settings: Settings, digits: Digits, broker_began: float) -> None:
        """Start every stage, then let things happen until all is done or something ends it."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        processes = [Process.worker(stage, 0) for stage in WORKERS] + [Process.siftstream("oracle", "oracle")]
        began = time.monotonic()
        with Watcher(settings, self.board, digits.holdout, broker_began) as watcher:
            async with Supervisor(settings, processes, self._happened) as supervisor:
                try:
                    await first_of(
                        self._tell_it(settings, digits, watcher, supervisor, began),
                        raise_when(stop),
                        supervisor.failed(),
                    )
                finally:
                    self._stopping.set()

    async def _tell_it(
        self, settings: Settings, digits: Digits, watcher: Watcher, supervisor: Supervisor, began: float
    ) -> None:
        await self._until_joined(watcher, supervisor)
        self._note("stages joined", began)
        self._ready = watcher.first_push = time.time()
        with self._view(self.board):
            pushing = asyncio.ensure_future(asyncio.to_thread(self._push, settings, digits))
            random = asyncio.ensure_future(self._random(settings, digits))
            try:
                await self._until_done(settings, watcher, supervisor, pushing, random)
            finally:
                random.cancel()
                self._stopping.set()
                await asyncio.gather(random, pushing, return_exceptions=True)
                self.board.result.after_setup = time.time() - self._ready

    async def _until_joined(self, watcher: Watcher, supervisor: Supervisor) -> None:
        deadline = time.monotonic() + STARTED_WITHIN_S
        while True:
            with suppress(UnavailableError):  # a broker that has just started may still load its groups
                await asyncio.to_thread(watcher.look, memory_of(supervisor))
            missing = [name for name, now in self.board.stages.items() if not now.members]
            if not missing:
                return
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"{', '.join(missing)} did not join within {STARTED_WITHIN_S:g} s;"
                    f" see the logs in {self._plan.out / 'state' / 'logs'}"
                )
            await asyncio.sleep(LOOK_EVERY_S / 2)

    async def _until_done(
        self, settings: Settings, watcher: Watcher, supervisor: Supervisor, *tasks: "asyncio.Future[Any]"
    ) -> None:
        """Watch until every image was weighed, every label learned from and random choice is done."""
        quiet = 0  # readings in a row with nothing under way: one alone may fall between two stages
        while time.time() - self._ready < self._plan.within:
            with suppress(UnavailableError):  # a broker that does not come back ends the stages, and they us
                await asyncio.to_thread(watcher.look, memory_of(supervisor))
            for task in tasks:
                if task.done():
                    task.result()
            quiet = quiet + 1 if self._complete(settings) else 0
            if quiet >= QUIET_LOOKS and all(task.done() for task in tasks):
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def _complete(self, settings: Settings) -> bool:
        board, result = self.board, self.board.result
        return (
            board.stages["fetch"].done >= result.images
            and not any(now.lag for now in board.stages.values())
            and result.labelled >= board.selected > 0
            and board.unlearned < settings.retrain.min_new_labels
        )

    def _push(self, settings: Settings, digits: Digits) -> None:
        """Push at the plan's rate, slower where models do not keep up; a pause is not caught up."""
        pause = 1.0 / self._plan.rate

        def uris() -> Iterator[str]:
            due = time.monotonic()
            for path in digits.stream:
                while self.board.unlearned > AHEAD and not self._stopping.is_set():
                    time.sleep(LOOK_EVERY_S / 4)
                if self._stopping.is_set():
                    return
                time.sleep(max(0.0, due - time.monotonic()))
                due = max(due, time.monotonic() - 10 * pause) + pause
                yield path.as_uri()

        def told(pushed: Pushed) -> None:
            self.board.result.pushed = pushed.acknowledged

        push(uris(), settings.kafka, settings.pipeline, told=told)

    async def _random(self, settings: Settings, digits: Digits) -> None:
        baseline, began = self.board.result.baseline, time.monotonic()
        baseline.accuracies = [[] for _ in range(self._plan.random_seeds)]

        def hear(labels: int, accuracies: list[float]) -> None:
            for row, accuracy in zip(baseline.accuracies, accuracies, strict=True):
                row.append(accuracy)
            baseline.counts.append(labels)
            baseline.seconds = time.monotonic() - began

        spec = Spec(
            stream=list(digits.stream), holdout=list(digits.holdout), counts=list(self._plan.random_counts),
            seeds=[self._plan.seed * 1000 + number for number in range(self._plan.random_seeds)],
            train=settings.retrain.train,
        )  # fmt: skip
        await follow(settings.state, spec, hear)

    @contextmanager
    def _step(self, name: str) -> Generator[None]:
        began = time.monotonic()
        yield
        self._note(name, began)

    def _note(self, name: str, began: float) -> None:
        step = Step(name=name, seconds=time.monotonic() - began)
        self.board.result.steps.append(step)
        self._tell(f"{step.seconds:5.1f} s  {name}")

    def _happened(self, happening: Happening) -> None:
        if happening.kind != "started":
            self.board.notes.append(f"{happening.name}: {happening.words}")
            self.board.result.happenings.append(f"{happening.name} {happening.words}")


def clear(out: Path) -> None:
    """Remove what an earlier run left in the folder; nothing else there is touched."""
    for name in LEFTOVERS:
        path = out / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)


async def first_of(*ways: Coroutine[Any, Any, None]) -> None:
    """Run until the first of them ends, however it ends; end the others."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def raise_when(stop: asyncio.Event) -> None:
    """Raise Stopped once the event is set."""
    await stop.wait()
    raise Stopped


def memory_of(supervisor: Supervisor) -> dict[str, float]:
    """Return the resident MiB of each process, where the system tells (Linux)."""
    found: dict[str, float] = {}
    for status in supervisor.status():
        try:
            pages = int(Path(f"/proc/{status.pid}/statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            continue
        found[status.name.split("-")[0]] = pages * 4096 / (1 << 20)
    return {name: size for name, size in found.items() if name in STAGES}
