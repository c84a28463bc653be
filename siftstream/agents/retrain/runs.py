"""Which training runs were granted, and how each of them goes on: a fold over `training`."""

import re
from collections.abc import Callable, Iterable, Iterator
from time import monotonic

from siftstream.schemas import Cause, RunState, TrainingRun
from siftstream.streams.record import Record


class Runs:
    """The chain of granted runs of one line.

    A claim names the run that was granted before it. Of all claims that name the same one, the first in the
    log is granted: compare and swap, decided alike by everybody who reads. Any later record of a run shows
    that it was granted, for only then does its trainer write more; so the chain can also be read after
    compaction, which leaves the last record of each run and moves it behind younger runs.

    >>> runs = Runs("main")
    >>> first = TrainingRun(line="main", version="r-0-0001", trainer="r-0", upto=(20,))
    >>> slower = TrainingRun(line="main", version="r-1-0001", trainer="r-1", upto=(21,))
    >>> second = TrainingRun(line="main", version="r-1-0001", trainer="r-1", after="r-0-0001", upto=(40,))
    >>> for claim in (first, slower, second):
    ...     runs.hear(claim)
    ...     print(runs.is_granted(claim), runs.last.version)
    True r-0-0001
    False r-0-0001
    True r-1-0001
    """

    def __init__(self, line: str, clock: Callable[[], float] = monotonic) -> None:
        """Args: whose runs; seconds of this reader's own clock, by which a trainer is silent."""
        self._line = line
        self._clock = clock
        self._runs: dict[str, TrainingRun] = {}  # the granted ones, as they stand
        self._next: dict[str | None, str] = {}  # by name: the run that was granted after it
        self._heard: dict[str, float] = {}
        self._answers: dict[tuple[Cause, str], str] = {}
        self._last: str | None = None

    def fold(self, record: Record) -> None:
        """Learn one record of the topic.

        Raises:
            SchemaError: not a `TrainingRun`.
        """
        if record.value is not None:
            self.hear(TrainingRun.decode(record.value))

    def hear(self, run: TrainingRun) -> None:
        """Learn one record, in the order of the log."""
        if run.line != self._line or run.version == run.after:
            return
        known = self._runs.get(run.version)
        if known is None:
            if not self._grants(run):
                return
            self._append(run)
        elif run.state is RunState.CLAIMED or (known.state.over and not run.state.over):
            return  # of another life of its trainer
        self._runs[run.version] = run
        self._heard[run.version] = self._clock()

    @property
    def last(self) -> TrainingRun | None:
        """The run that was granted last; none before the first."""
        return None if self._last is None else self._runs[self._last]

    def find(self, version: str) -> TrainingRun | None:
        """Return a granted run as it stands."""
        return self._runs.get(version)

    def is_granted(self, claim: TrainingRun) -> bool:
        """Tell whether this very claim was granted, not one of the same name that an earlier life left."""
        known = self._runs.get(claim.version)
        return known is not None and (known.claimed_at, known.upto) == (claim.claimed_at, claim.upto)

    def answered(self, cause: Cause, token: str) -> bool:
        """Tell whether a granted run answers this drift, command, place of the schedule, or earlier run."""
        return (cause, token) in self._answers

    def silent(self, version: str) -> float:
        """Seconds since the last word of a granted run was read here."""
        return self._clock() - self._heard[version]

    def since(self, version: str) -> Iterator[TrainingRun]:
        """The runs granted after one, in their order."""
        while (follower := self._next.get(version)) is not None:
            version = follower
            yield self._runs[version]

    def back_from(self, version: str | None) -> Iterator[TrainingRun]:
        """A run and those granted before it, newest first."""
        while version is not None and (run := self._runs.get(version)) is not None:
            yield run
            version = run.after

    def unfinished(self, trainer: str) -> list[TrainingRun]:
        """The runs of a trainer that it did not end."""
        return [run for run in self._runs.values() if run.trainer == trainer and not run.state.over]

    def next_name(self, trainer: str, versions: Iterable[str]) -> str:
        """Return the name of a trainer's next run: no run and no version ever had it.

        >>> Runs("main").next_name("r-0", ["r-0-0007", "r-10-0009", "resnet"])
        'r-0-0008'
        """
        named = re.compile(rf"{re.escape(trainer)}-(\d+)")
        found = (named.fullmatch(name) for name in (*self._runs, *versions))
        return f"{trainer}-{max((int(match[1]) for match in found if match), default=0) + 1:04d}"

    def _grants(self, run: TrainingRun) -> bool:
        rival = self._next.get(run.after)
        if rival is None:
            return True
        if run.state is RunState.CLAIMED or self._runs[rival].state is not RunState.CLAIMED:
            return False
        gone = self._runs.pop(rival)  # it lost: compaction moved the winner's record behind it
        self._answers.pop((gone.cause, gone.token), None)
        if self._last == rival:
            self._last = None
        return True

    def _append(self, run: TrainingRun) -> None:
        self._next[run.after] = run.version
        if run.token:
            self._answers[run.cause, run.token] = run.version
        if self._last is None or run.version not in self._next:
            self._last = run.version
        self._runs[run.version] = run
        for _ in range(len(self._runs)):  # those that compaction moved before it
            follower = self._next.get(self._last)
            if follower not in self._runs:
                break
            self._last = follower
