"""Runs an experiment's steps in child processes, several at once; what the journal holds is not run again."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siftstream.experiment.journal import Done, Journal
from siftstream.experiment.plan import Plan
from siftstream.experiment.savings import Curves
from siftstream.schemas.errors import TrainingError

CHILD = (sys.executable, "-m", "siftstream.experiment.child")
_LONGEST = 1 << 26  # bytes of an answer
_SPARSE = 5  # rounds, after which random's curve is measured at each fifth of its length


@dataclass(frozen=True)
class Rules:
    """Labels at the start, of a round, and at the end; random goes on to `reach` times the end."""

    start: int = 20
    round: int = 20
    labels: int = 200
    reach: int = 2

    def count(self, plan: Plan, labelled: int) -> int:
        """Return how many labels come next; random's steps grow, since what it takes hangs on no model.

        >>> from siftstream.experiment.plan import plans
        >>> random, margin = plans("random, margin")
        >>> [Rules().count(random, labelled) for labelled in (0, 20, 200, 300)], Rules().count(margin, 300)
        ([20, 20, 40, 60], 20)
        """
        if not labelled:
            return self.start
        return (
            self.round * max(1, labelled // (_SPARSE * self.round)) if plan.name == "random" else self.round
        )


@dataclass(frozen=True)
class Run:
    """One strategy from one seed's first labels to the last."""

    plan: Plan
    seed: int
    labels: int
    key: str
    """What the journal knows it by."""


Heard = Callable[[Run, int, float], None]
Ask = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def runs_of(plans: Sequence[Plan], seeds: int, rules: Rules, digest: str) -> list[Run]:
    """Return the runs, seed by seed, the longest first; random is always among them."""

    def run(plan: Plan, seed: int) -> Run:
        far = rules.reach if plan.name == "random" else 1
        key = json.dumps([digest, plan.said, seed, rules.start, rules.round])
        return Run(plan, seed, far * rules.labels, key)

    ordered = sorted(plans, key=lambda plan: plan.name != "random")
    return [run(plan, seed) for seed in range(seeds) for plan in ordered]


def steps_of(run: Run, rules: Rules, pool: int) -> int:
    """Return how many trainings a run takes.

    >>> from siftstream.experiment.plan import plans
    >>> steps_of(Run(plans("margin")[0], 0, 60, ""), Rules(20, 20, 60), pool=500)
    3
    """
    labelled, steps = rules.start, 1
    while labelled < min(run.labels, pool):
        labelled, steps = labelled + rules.count(run.plan, labelled), steps + 1
    return steps


async def run_all(
    folder: Path,
    runs: Sequence[Run],
    rules: Rules,
    jobs: int,
    journal: Journal,
    heard: Heard,
    command: Sequence[str] = CHILD,
) -> dict[Run, list[tuple[int, float]]]:
    """Return each run's numbers of labels and accuracies; `heard` hears of each training as it is done.

    Args:
        folder: Holds the material (`Material.write`); the children's output goes to `children.log` there.
        runs: What to run.
        rules: Numbers of labels.
        jobs: Child processes at once.
        journal: What was done before, and where each step is noted.
        heard: Hears run, labels and accuracy, also of what the journal gave.
        command: Starts a process that takes steps, with the folder behind it.

    Raises:
        TrainingError: a step failed, or a child was killed.
    """
    done = journal.read()
    left = deque(runs)
    found: dict[Run, list[tuple[int, float]]] = {run: [] for run in runs}

    async def work() -> None:
        async with _child(folder, command) as ask:
            while left:
                run = left.popleft()
                async for labels, accuracy in _follow(ask, run, rules, done.get(run.key, ()), journal):
                    found[run].append((labels, accuracy))
                    heard(run, labels, accuracy)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(jobs, len(runs))):
                group.create_task(work())
    except* TrainingError as errors:
        raise errors.exceptions[0] from None
    return found


async def _follow(
    ask: Ask, run: Run, rules: Rules, before: Sequence[Done], journal: Journal
) -> AsyncGenerator[tuple[int, float]]:
    """Take the steps of a run to its end; those in the journal cost nothing."""
    labelled: list[int] = []
    known = deque(before)
    while True:
        if known:
            done = known.popleft()
        else:
            done = await _asked(ask, run, rules, labelled)
            journal.write(run.key, done)
        if done.accuracy is not None:
            yield len(labelled), done.accuracy
        if not done.chosen or len(labelled) >= run.labels:
            return
        labelled += done.chosen


async def _asked(ask: Ask, run: Run, rules: Rules, labelled: Sequence[int]) -> Done:
    count = rules.count(run.plan, len(labelled))
    answer = await ask({"plan": run.plan.said, "seed": run.seed, "labelled": labelled, "count": count})
    if "error" in answer:
        raise TrainingError(f"{run.plan.name}, seed {run.seed}, {len(labelled)} labels: {answer['error']}")
    return Done(len(labelled), answer["accuracy"], answer["chosen"])


@asynccontextmanager
async def _child(folder: Path, command: Sequence[str]) -> AsyncGenerator[Ask]:
    """Give what asks a process for a step; it is started by the first request and ends with this block.

    It also ends with this process, however that ends.
    """
    started: list[Process] = []

    async def ask(request: dict[str, Any]) -> dict[str, Any]:
        if not started:
            started.append(await _started(folder, command))
        return await _answered(started[0], request)

    try:
        yield ask
    finally:
        for child in started:
            if child.returncode is None:
                child.kill()
            await child.wait()
            if child.stdin is not None:
                child.stdin.close()


async def _started(folder: Path, command: Sequence[str]) -> Process:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "children.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *command, str(folder),
            stdin=PIPE, stdout=PIPE, stderr=log, env=environment, limit=_LONGEST,
            start_new_session=True,  # Ctrl-C is for the parent, which ends this one
        )  # fmt: skip


async def _answered(child: Process, request: dict[str, Any]) -> dict[str, Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    line = b""
    try:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        await child.stdin.drain()
        line = await child.stdout.readline()
    except (BrokenPipeError, ConnectionResetError):
        pass
    if not line:
        code = await child.wait()
        raise TrainingError(
            f"a training process of the experiment ended with code {code}; the same command goes on after the"
            " last step that was done"
        )
    return json.loads(line)


def curves_of(found: dict[Run, list[tuple[int, float]]]) -> dict[str, Curves]:
    """Return the curves by strategy's name; row s is seed s."""
    names = dict.fromkeys(run.plan.name for run in found)
    return {name: _curves([line for run, line in found.items() if run.plan.name == name]) for name in names}


def _curves(lines: Sequence[Sequence[tuple[int, float]]]) -> Curves:
    counts = np.array([labels for labels, _ in lines[0]])
    return Curves(counts, np.array([[accuracy for _, accuracy in line] for line in lines]))
