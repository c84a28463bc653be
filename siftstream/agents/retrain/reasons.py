"""Why to train now: labels, a schedule, drift, a command, or a run that came to nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from siftstream.agents.retrain.runs import Runs
from siftstream.agents.retrain.settings import RetrainSettings
from siftstream.schemas import Action, Cause, Command, Drift, ModelVersion, RunState, TrainingRun
from siftstream.streams.record import Record

TRIES: Final = 3  # of the same labels, where the child is killed each time
LOOK_S: Final = 1.0  # how often it is looked again where time alone gave no reason


class Grown(Protocol):
    """What is asked of L."""

    @property
    def training(self) -> int:
        """Labels in the training slice."""
        ...

    @property
    def upto(self) -> tuple[int, ...]:
        """Offsets before which all is known."""
        ...

    @property
    def changed(self) -> int:
        """Labels new or changed since the last granted run."""
        ...

    @property
    def newest(self) -> float:
        """When the newest change was resolved, seconds since the epoch."""
        ...


@dataclass(frozen=True)
class Reason:
    """The cause of a run, and what exactly it answers."""

    cause: Cause
    token: str = ""


class Reasons:
    """Decides from the logs alone, so that all trainers of a line see the same reason; one is granted it.

    >>> from siftstream.agents.retrain.pool import Pool
    >>> pool, runs = Pool(("a", "b"), partitions=1), Runs("main")
    >>> reasons = Reasons(RetrainSettings(), "main", pool, runs, {})
    >>> print(reasons.due(at=0.0))
    None
    >>> runs.hear(TrainingRun(line="main", version="r-0001", trainer="r", upto=(0,)))
    >>> reasons.hear(Command(line="main", action=Action.TRAIN, command_id="c1"))
    >>> reasons.due(at=0.0)
    Reason(cause=<Cause.COMMAND: 'command'>, token='c1')
    """

    def __init__(
        self,
        settings: RetrainSettings,
        line: str,
        pool: Grown,
        runs: Runs,
        versions: Mapping[str, ModelVersion],
    ) -> None:
        """Args: when to train; the line; L, counting from the last granted run; the runs; the versions."""
        self._settings = settings
        self._line = line
        self._pool = pool
        self._runs = runs
        self._versions = versions
        self._drifts: dict[str, float] = {}  # by key: when it was told first
        self._commands: list[Command] = []  # that no run answers yet, as far as that was looked at
        self._superseding: dict[str, Command] = {}

    # -- what is heard

    def fold_drift(self, record: Record) -> None:
        """Learn one record of `drift`.

        Raises:
            SchemaError: not a `Drift`.
        """
        if record.value is not None:
            drift = Drift.decode(record.value)
            self._drifts.setdefault(drift.key.decode(), drift.detected_at)

    def fold_command(self, record: Record) -> None:
        """Learn one record of `commands`.

        Raises:
            SchemaError: not a `Command`.
        """
        if record.value is not None:
            self.hear(Command.decode(record.value))

    def hear(self, command: Command) -> None:
        """Learn one command; a run that answers it answers all that were said before."""
        if command.line == self._line and command.action is Action.TRAIN:
            if command.supersede or any(one.supersede for one in self._pending()):
                self._superseding[command.command_id] = command
            self._commands.append(command)

    # -- whether to begin

    def due(self, at: float) -> Reason | None:
        """Return why to begin a run now, if there is a reason; `at` is in seconds since the epoch."""
        last = self._runs.last
        if last is None:
            if self._pool.training < self._settings.min_labels:
                return None
        elif not _covers(self._pool.upto, last.upto):
            return None  # this trainer has still to read what the last one knew
        return self._asked() or self._again() or self._drifted() or self._grown() or self._scheduled(at)

    def wait(self, at: float) -> float | None:
        """Seconds after which time alone may be a reason; none: never."""
        waits: list[float] = []
        last = self._runs.last
        if last is not None and not last.state.over:
            left = self._settings.lease - self._runs.silent(last.version)
            waits.append(left if left > 0 else LOOK_S)
        if self._settings.every is not None:
            waits.append(self._settings.every - at % self._settings.every)
        return max(0.01, min(waits)) if waits else None

    def _asked(self) -> Reason | None:
        able = [one for one in self._pending() if _holds(self._pool.upto, one.needs)]
        return Reason(Cause.COMMAND, able[-1].command_id) if able else None

    def _pending(self) -> list[Command]:
        """The commands that no run answers, oldest first."""
        last = self._runs.last
        left: list[Command] = []
        for command in self._commands:
            if self._runs.answered(Cause.COMMAND, command.command_id):
                left = []
            elif not (command.needs and last is not None and _holds(last.upto, command.needs)):
                left.append(command)
        self._commands = left
        return left

    def _again(self) -> Reason | None:
        """The last run knew all that the earlier ones knew, so it alone must not come to nothing."""
        last = self._runs.last
        return Reason(Cause.AGAIN, last.version) if last is not None and self._lost(last) else None

    def _lost(self, run: TrainingRun) -> bool:
        version = self._versions.get(run.version)
        if version is not None:
            return version.killed and self._tries(run) < TRIES
        if run.state.over:
            return run.state is not RunState.DONE  # it was ended before it had a version
        return self._runs.silent(run.version) >= self._settings.lease

    def _tries(self, run: TrainingRun) -> int:
        """How often the child was killed in a row, this run the last of them."""
        tries = 0
        for one in self._runs.back_from(run.version):
            version = self._versions.get(one.version)
            if version is None or not version.killed:
                break
            tries += 1
        return tries

    def _drifted(self) -> Reason | None:
        """A drift counts where a label is newer than it: older ones are of the stream as it was."""
        if not self._settings.on_drift or not self._pool.changed:
            return None
        last = self._runs.last
        since = 0.0 if last is None else last.claimed_at
        self._drifts = {  # one of before the last run is answered by it, whatever its cause was
            key: told for key, told in self._drifts.items()
            if told > since and not self._runs.answered(Cause.DRIFT, key)
        }  # fmt: skip
        return next(
            (Reason(Cause.DRIFT, key) for key, told in self._drifts.items() if self._pool.newest > told), None
        )

    def _grown(self) -> Reason | None:
        return Reason(Cause.LABELS) if self._pool.changed >= self._settings.min_new_labels else None

    def _scheduled(self, at: float) -> Reason | None:
        every, last = self._settings.every, self._runs.last
        if every is None or not self._pool.changed:
            return None
        token = str(int(at // every))
        passed = last is not None and at // every <= last.claimed_at // every
        return None if passed or self._runs.answered(Cause.SCHEDULE, token) else Reason(Cause.SCHEDULE, token)

    # -- whether to stop

    def superseded(self, run: TrainingRun) -> str:
        """Return why a run under way is to be stopped, in a sentence; empty: it goes on."""
        known = self._runs.find(run.version)
        if known is not None and known.state.over:
            return "Ended by another process of the same name."
        for command in self._pending():
            if command.supersede:
                return _said(command)
        for later in self._runs.since(run.version):
            if (later.cause, later.token) == (Cause.AGAIN, run.version):
                return f"Taken over by {later.version}: nothing was heard for {self._settings.lease:g} s."
            command = self._superseding.get(later.token)
            if later.cause is Cause.COMMAND and command is not None:
                return _said(command)
        last, most = self._runs.last, self._settings.supersede_after
        newest = last is not None and last.version == run.version
        if newest and most is not None and self._pool.changed >= most:
            return f"{self._pool.changed} labels changed meanwhile (retrain.supersede_after: {most})."
        return ""


def _covers(ours: tuple[int, ...], theirs: tuple[int, ...]) -> bool:
    return all(mine >= other for mine, other in zip(ours, theirs, strict=False))


def _holds(ours: tuple[int, ...], needs: Mapping[int, int]) -> bool:
    return all(partition < len(ours) and ours[partition] >= offset for partition, offset in needs.items())


def _said(command: Command) -> str:
    return f"A new run was asked for by {command.by}{': ' if command.why else ''}{command.why}."
