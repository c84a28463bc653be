"""Runs every strategy with every seed in a few processes; a journal spares what was run before."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.label_savings.data import digits, load
from benchmarks.label_savings.protocol import Protocol, curve
from siftstream.experiment.plan import plans
from siftstream.experiment.savings import Curves

Line = tuple[list[int], list[float]]


@dataclass(frozen=True)
class Job:
    """One run: a data set (its features' file; none: digits), a strategy as said, a seed, a protocol."""

    data: str
    file: Path | None
    plan: str
    seed: int
    protocol: Protocol

    @property
    def key(self) -> str:
        """What the journal knows it by."""
        return json.dumps([self.data, self.plan, self.seed, asdict(self.protocol)])


def jobs_of(data: str, file: Path | None, said: str, seeds: int, protocol: Protocol, reach: int) -> list[Job]:
    """Return a run for each seed of each strategy, and of random to `reach` times as many labels.

    What random takes hangs on neither window nor round, so all protocols of small rounds share its runs.
    """
    steps = max(protocol.round, Protocol.round)
    far = replace(protocol, labels=reach * protocol.labels, window=None, round=steps)
    each = [(plan.said, protocol) for plan in plans(said) if plan.name != "random"]
    return [
        Job(data, file, plan, seed, rules)
        for seed in range(seeds)
        for plan, rules in [("random", far), *each]
    ]


def run(job: Job) -> Line:
    """Run one job on one thread."""
    data = digits() if job.file is None else load(job.file)
    with threadpool_limits(1):
        return curve(data, plans(job.plan)[0], job.seed, job.protocol)


def run_all(jobs: Sequence[Job], processes: int, journal: Path | None) -> dict[Job, Line]:
    """Run the jobs that the journal lacks, and return what each gave."""
    known = dict(_read(journal))
    done = {job: known[job.key] for job in jobs if job.key in known}
    left = [job for job in jobs if job not in done]
    for job, line in _each(left, processes):
        done[job] = line
        if journal is not None:
            with journal.open("a") as lines:
                lines.write(json.dumps([job.key, *line]) + "\n")
    return {job: done[job] for job in jobs}


def curves_of(done: dict[Job, Line], data: str) -> dict[str, Curves]:
    """Return the curves of one data set by strategy, in the order of the jobs."""
    mine = [job for job in done if job.data == data]
    names = {plans(job.plan)[0].name: job.plan for job in mine}
    return {
        name: Curves(
            np.array(next(done[job][0] for job in mine if job.plan == plan)),
            np.array([done[job][1] for job in mine if job.plan == plan]),
        )
        for name, plan in names.items()
    }


def _each(jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, Line]]:
    """Run the jobs and return each as it is ready; one process is this one."""
    if processes == 1:
        yield from ((job, run(job)) for job in jobs)
        return
    with ProcessPoolExecutor(processes) as pool:
        running = {pool.submit(run, job): job for job in jobs}
        yield from ((running[ready], ready.result()) for ready in as_completed(running))


def _read(journal: Path | None) -> Iterator[tuple[str, Line]]:
    if journal is not None and journal.exists():
        for line in journal.read_text().splitlines():
            key, counts, accuracies = json.loads(line)
            yield key, (counts, accuracies)
