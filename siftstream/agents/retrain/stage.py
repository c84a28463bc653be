"""The retrain stage: L in, model versions out; nobody waits for it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from logging import getLogger
from time import time
from typing import Any

from siftstream.agents.retrain.attending import Telling, attended
from siftstream.agents.retrain.claims import Claims, ended, superseded
from siftstream.agents.retrain.collecting import Collector, Topic
from siftstream.agents.retrain.course import Course
from siftstream.agents.retrain.patience import until_there
from siftstream.agents.retrain.pool import Pool, Snapshot
from siftstream.agents.retrain.reasons import Reason, Reasons
from siftstream.agents.retrain.report import Report
from siftstream.agents.retrain.runs import Runs
from siftstream.agents.retrain.settings import RetrainSettings
from siftstream.agents.retrain.stop_set import StopSet
from siftstream.agents.retrain.stopping import Stopping
from siftstream.agents.versions import Versions
from siftstream.models.settings import ModelSettings
from siftstream.schemas import Command, Drift, ModelVersion, TrainingLabel, TrainingRun, VersionStatus
from siftstream.schemas.errors import BadRecord, UnavailableError
from siftstream.streams.app import StageApp
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.view import View
from siftstream.streams.work import Work, finish_patiently, refused_later, work_through

log = getLogger(__name__)


def attach(
    app: StageApp, settings: RetrainSettings, model: ModelSettings, classes: Sequence[str], course: Course,
    replica: str, report: Report, stop_set: StopSet,
) -> None:  # fmt: skip
    """Make `app` a trainer; `replica` is its name and its consumer group: every trainer reads all of L."""
    pool = Pool(classes, app.pipeline.partitions)
    runs = Runs(model.line)
    versions = Versions(app, model.line, report.live)
    reasons = Reasons(settings, model.line, pool, runs, versions.all)
    claims = Claims(app, model.line, replica, runs, versions.all, lambda run: pool.count_from(run.upto))
    labelled = View(app.kafka, app.pipeline, TrainingLabel.topic, pool.fold)
    commands = View(app.kafka, app.pipeline, Command.topic, reasons.fold_command, refused_later(app))
    drifts = View(app.kafka, app.pipeline, Drift.topic, reasons.fold_drift, refused_later(app))
    beside = [commands, drifts] if settings.on_drift else [commands]
    stopping = Stopping(app, settings.stop, model.line, versions, stop_set, lambda: pool.frozen().snapshot())
    stirred = asyncio.Event()

    @app.agent(app.source(TrainingLabel), name="retrain")
    async def retrain(stream: Any) -> None:
        await read_everything()
        await course.begin()
        app.add_future(train_for_ever())
        await work_through(app, stream, learn_labels, at_most=256, within=0.1)

    async def train_for_ever() -> None:
        """As soon as this trainer is free and there is a reason: claim a run, learn, judge, publish."""
        await claims.end_own()
        stopping.begin()
        while True:
            reason = await reason_to_train()
            labels = pool.frozen()
            run = await claims.claim(reason, labels.upto, labels.usable)
            if run is None:  # another trainer was faster
                continue
            log.info("run %s on %d labels begins: %s %s", run.version, run.labels, run.cause, run.token)
            made = await version_of(run, await labels.snapshot())
            if isinstance(made, str):
                log.info("run %s is stopped: %s", run.version, made)
                await end(superseded(run, made))
                continue
            await publish(made)
            await end(ended(run, made), made)
            await stopping.after(made)
            await collector.after_publication()

    async def reason_to_train() -> Reason:
        while True:
            stirred.clear()
            if reasons.due(time()) is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(reasons.wait(time())):
                        await stirred.wait()
                continue
            await claims.catch_up()  # what others claimed or published meanwhile
            await until_there(versions.catch_up)
            if (reason := reasons.due(time())) is not None:
                return reason

    async def version_of(run: TrainingRun, labels: Snapshot) -> ModelVersion | str:
        """The version that comes of a run, or why the run was stopped."""
        telling = Telling(run, tell, settings.lease)

        async def learn() -> ModelVersion:
            try:
                return await until_there(lambda: course.run(run.version, labels, live, telling.told))
            except Exception as error:  # one bad run must not end a trainer, and again after each restart
                if isinstance(error, UnavailableError):
                    raise
                log.exception("run %s: an unforeseen error", run.version)
                return failed(run, labels, f"{type(error).__name__}: {error}")

        async def stop() -> str:
            while not (why := reasons.superseded(run)):
                stirred.clear()
                await stirred.wait()
            return why

        made = await attended(learn(), telling.keep_on(), stop())
        return made if isinstance(made, str) else made.model_copy(update={"trainer": replica})

    def failed(run: TrainingRun, labels: Snapshot, reason: str) -> ModelVersion:
        return ModelVersion(
            line=model.line, version=run.version, classes=tuple(classes), status=VersionStatus.FAILED,
            reason=reason, mode=settings.train.mode, upto=labels.upto, pool_size=len(labels),
        )  # fmt: skip

    async def live() -> ModelVersion | None:
        await versions.catch_up()
        return versions.live

    async def publish(version: ModelVersion) -> None:
        log.info("model %s is %s: %s", version.version, version.status, version.reason)
        work = Work(outputs=[Outgoing(ModelVersion.topic, version.encode(), version.key)])
        await finish_patiently(app, work)

    async def every_version() -> list[ModelVersion]:
        await versions.catch_up()
        return list(versions.every.values())

    async def tell(run: TrainingRun) -> None:
        report.progress(run)
        await claims.tell(run)

    async def end(run: TrainingRun, version: ModelVersion | None = None) -> None:
        await claims.tell(run)
        await claims.catch_up()  # else this run would still count as under way here
        report.over(run, version)

    async def read_everything() -> None:
        """First the runs, then L: so L holds whatever a run that is known here has learned."""
        await claims.catch_up()
        for refresh in (labelled.refresh, versions.catch_up, *(view.refresh for view in beside)):
            await until_there(refresh)
        versions.follow(heard)
        app.add_future(claims.follow(heard))
        for view in beside:
            app.add_future(view.follow(heard))
        heard()

    async def learn_labels(records: Sequence[Record]) -> Work:
        work = Work()
        for record in records:
            try:
                if not labelled.fold(record):
                    TrainingLabel.decode(record.value)  # what the first reading passed over is refused here
            except BadRecord as error:
                work.refuse(record, error)
        heard()
        return work

    def heard() -> None:
        """Let the trainer look again: something in the logs is new."""
        report.pool(len(pool), pool.changed)
        stirred.set()

    collector = Collector(Topic(app.pipeline.name, every_version, publish), model, settings.keep)
    for close in (course.close, labelled.stop, commands.stop, drifts.stop):
        app.close_at_stop(close)
