"""Claiming runs: a claim is written, acknowledged and read back before anything is trained."""

from collections.abc import Callable, Mapping
from time import time

from siftstream.agents.retrain.patience import until_there
from siftstream.agents.retrain.reasons import Reason
from siftstream.agents.retrain.runs import Runs
from siftstream.schemas import ModelVersion, RunState, TrainingRun, VersionStatus
from siftstream.streams.app import StageApp
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.view import View
from siftstream.streams.work import Work, finish_patiently, refused_later


class Claims:
    """One trainer's side of `training`: it claims runs, tells of them, and reads what all others tell."""

    def __init__(
        self,
        app: StageApp,
        line: str,
        replica: str,
        runs: Runs,
        versions: Mapping[str, ModelVersion],
        granted: Callable[[TrainingRun], None],
    ) -> None:
        """Args: the app; line and trainer; the runs, which are folded here; the versions; hears of each run
        that is granted, whoever's it is.
        """
        self._app = app
        self._line = line
        self._replica = replica
        self._runs = runs
        self._versions = versions
        self._granted = granted
        self._view = View(app.kafka, app.pipeline, TrainingRun.topic, self._fold, refused_later(app))
        app.close_at_stop(self._view.stop)

    async def catch_up(self) -> None:
        """Read all there is, however long that is away."""
        await until_there(self._view.refresh)

    async def follow(self, heard: Callable[[], None]) -> None:
        """Read on for ever."""
        await self._view.follow(heard)

    async def claim(self, reason: Reason, upto: tuple[int, ...], labels: int) -> TrainingRun | None:
        """Claim a run after the last one; none where another trainer was faster.

        Args:
            reason: Why.
            upto: Offsets in `labelled` before which it learns from all, a partition each.
            labels: Usable labels that are.
        """
        last = self._runs.last
        claim = TrainingRun(
            line=self._line, version=self._runs.next_name(self._replica, self._versions),
            trainer=self._replica, after=last.version if last else None, cause=reason.cause,
            token=reason.token, upto=upto, labels=labels,
        )  # fmt: skip
        await self.tell(claim)
        await self.catch_up()
        if self._runs.is_granted(claim):
            return claim
        if self._runs.find(claim.version) is None:
            await self._write(Outgoing(TrainingRun.topic, None, claim.key))  # it is no run
        else:  # an earlier life's claim of the same name came late
            await self.end_own()
        return None

    async def tell(self, run: TrainingRun) -> None:
        """Write how a run stands; returns when it is acknowledged."""
        await self._write(Outgoing(TrainingRun.topic, run.encode(), run.key))

    async def end_own(self) -> None:
        """Tell the end of what an earlier life of this trainer left unfinished."""
        for run in self._runs.unfinished(self._replica):
            version = self._versions.get(run.version)
            await self.tell(ended(run, version) if version else interrupted(run))
        await self.catch_up()

    async def _write(self, output: Outgoing) -> None:
        await finish_patiently(self._app, Work(outputs=[output]))

    def _fold(self, record: Record) -> None:
        before = self._runs.last
        self._runs.fold(record)
        last = self._runs.last
        if last is not None and (before is None or before.version != last.version):
            self._granted(last)


def ended(run: TrainingRun, version: ModelVersion) -> TrainingRun:
    """Return the last word about a run that gave this version."""
    failed = version.status is VersionStatus.FAILED
    state = RunState.FAILED if failed else RunState.DONE
    return _over(run, state, version.reason if failed else "")


def interrupted(run: TrainingRun) -> TrainingRun:
    """Return the last word about a run whose trainer was ended in the middle of it."""
    return _over(run, RunState.FAILED, "Its trainer was ended in the middle of it, and began anew.")


def superseded(run: TrainingRun, why: str) -> TrainingRun:
    """Return the last word about a run that was stopped."""
    return _over(run, RunState.SUPERSEDED, why)


def _over(run: TrainingRun, state: RunState, reason: str) -> TrainingRun:
    return run.model_copy(update={"state": state, "reason": reason, "progress": None, "told_at": time()})
