"""When enough is enough: stopping rules pause asking, drift resumes what they paused."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from logging import getLogger
from typing import Final, NamedTuple

from siftstream.agents.asking import Asking
from siftstream.agents.retrain.evidence import history_of, loadable, since, trained
from siftstream.agents.retrain.patience import until_there
from siftstream.agents.retrain.pool import Snapshot
from siftstream.agents.retrain.settings import StopSettings
from siftstream.agents.retrain.stop_set import StopSet
from siftstream.agents.versions import Versions
from siftstream.schemas import Action, Command, Drift, ModelVersion
from siftstream.schemas.errors import EmitTimeout, SiftError, UnavailableError
from siftstream.strategies.stopping import Evidence, History, StoppingRule, stopping_of
from siftstream.streams.app import StageApp
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.view import View
from siftstream.streams.work import Work, finish_patiently

log = getLogger(__name__)
ANSWERING: Final = 16  # versions at the end whose answers on the stop set are compared


class Stop(NamedTuple):
    """The rule that says enough, and why."""

    rule: str
    reason: str


def enough(rules: Sequence[StoppingRule], history: History) -> Stop | None:
    """Return the first rule that says to stop; one that lacks evidence as yet says nothing.

    >>> rules = [stopping_of({"name": "label_limit", "labels": 40}), stopping_of("accuracy_plateau")]
    >>> enough(rules, History(labels=(20, 45)))
    Stop(rule='label_limit', reason='45 of 40 labels')
    """
    for rule in rules:
        if not all(history.has(evidence) for evidence in rule.reads):
            continue
        try:
            verdict = rule.check(history)
        except Exception:  # a plug-in may fail in any way; training goes on
            log.exception("stopping rule %s failed", rule.name)
            continue
        if verdict.stop:
            return Stop(rule.name, verdict.reason)
    return None


def resumes(asking: Asking, drift: Drift | None) -> bool:
    """Tell whether a drift takes a pause back: it came after it, and no person paused.

    >>> asking, drift = Asking("main"), Drift(partition=0, seen=50, position=4, statistic="embedding",
    ...     detector="adwin", model_version="v1", before=1.0, after=9.0, detected_at=120.0)
    >>> asking.hear(Command(line="main", action=Action.PAUSE, by="kappa", told_at=100.0))
    >>> resumes(asking, drift)
    True
    """
    if asking.said is None or not asking.paused or asking.by_person:
        return False
    return drift is not None and drift.detected_at > asking.said.told_at


class Stopping:
    """Judges after each publication whether to go on asking; each trainer does so for what it published.

    Rules see the versions whose training began after the last resume, and labels count from there: so a
    person's resume holds until there is evidence that was not there when it was said.
    """

    def __init__(
        self, app: StageApp, settings: StopSettings, line: str, versions: Versions, stop_set: StopSet,
        pool: Callable[[], Awaitable[Snapshot]],
    ) -> None:  # fmt: skip
        """Args: the retrain app; rules; the line and its versions; lets them answer; gives L as it is now.

        Raises:
            StrategyError: a rule is unknown or a parameter is wrong.
        """
        self._app, self._line, self._versions = app, line, versions
        self._stop_set, self._pool = stop_set, pool
        self._rules = [stopping_of(said) for said in settings.rules]
        self._asking = Asking(line)
        self._drift: Drift | None = None
        self._news = asyncio.Event()
        self._commands = View(app.kafka, app.pipeline, Command.topic, self._asking.fold)
        self._drifts = View(app.kafka, app.pipeline, Drift.topic, self._hear)
        self._follows_drift = bool(self._rules) and settings.resume_on_drift
        for view in (self._commands, self._drifts):
            app.close_at_stop(view.stop)

    def begin(self) -> None:
        """Follow commands and drift in the background, where drift may resume."""
        if self._follows_drift:
            self._app.add_future(self._commands.follow(self._news.set))
            self._app.add_future(self._drifts.follow(self._news.set))
            self._app.add_future(self._resume_on_drift())

    async def after(self, version: ModelVersion) -> None:
        """Pause asking where a rule says enough, now that this version is published."""
        if not self._rules:
            return
        try:
            await self._judge(version)
        except UnavailableError as error:  # the next version is judged by, all the same
            if isinstance(error, EmitTimeout):
                raise
            log.warning("whether to go on asking is not judged after %s: %s", version.version, error)

    async def _judge(self, version: ModelVersion) -> None:
        await asyncio.gather(self._commands.refresh(), self._versions.catch_up())
        said = self._asking.said
        if self._asking.paused:
            return
        stop = enough(self._rules, await self._history())
        await self._commands.refresh()
        if stop is not None and self._asking.said == said:  # nobody said otherwise meanwhile
            log.info("asking is paused by %s: %s", stop.rule, stop.reason)
            await self._say(Action.PAUSE, stop.rule, f"{stop.rule}-{version.version}", stop.reason)

    async def _history(self) -> History:
        versions, moment = list(self._versions.all.values()), self._asking.resumed_at
        if not any(Evidence.PREDICTIONS in rule.reads for rule in self._rules):
            return history_of(versions, moment)
        compared = loadable(since(trained(versions), moment), ANSWERING)
        try:
            answers = await self._stop_set.answers(compared, await self._pool())
            return history_of(versions, moment, answers)
        except SiftError as error:
            log.warning("stopping rules do not see the versions' answers: %s", error)
            return history_of(versions, moment)

    async def _resume_on_drift(self) -> None:
        """Any trainer may be the first to say so; all say the same."""
        while True:
            await self._news.wait()
            self._news.clear()
            drift = self._drift
            if drift is None or not resumes(self._asking, drift):
                continue
            await until_there(self._commands.refresh)
            if resumes(self._asking, drift):
                where = f"{drift.statistic} drifted in partition {drift.partition}"
                name = f"drift-{drift.key.decode()}"
                log.info("asking goes on: %s", where)
                await self._say(Action.RESUME, "drift", name, where, drift.detected_at)

    async def _say(self, action: Action, by: str, name: str, why: str, at: float | None = None) -> None:
        command = Command(line=self._line, action=action, by=by, command_id=name[:128], why=why)
        if at is not None:
            command = command.model_copy(update={"told_at": at})
        output = Outgoing(Command.topic, command.encode(), command.key, partition=0)
        await finish_patiently(self._app, Work(outputs=[output]))

    def _hear(self, record: Record) -> None:
        if record.value is None:
            return
        drift = Drift.decode(record.value)
        if self._drift is None or drift.detected_at > self._drift.detected_at:
            self._drift = drift
