"""The retrain stage: L in, model versions out; nobody waits for it."""

from logging import getLogger
from typing import Any

from siftstream.agents.retrain.course import Course
from siftstream.agents.retrain.pool import Pool
from siftstream.agents.retrain.settings import RetrainSettings
from siftstream.agents.retrain.urgency import Urgency
from siftstream.agents.versions import Versions
from siftstream.models.settings import ModelSettings
from siftstream.schemas import Drift, ModelVersion, TrainingLabel
from siftstream.schemas.errors import BadRecord
from siftstream.streams.app import StageApp
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.view import View
from siftstream.streams.work import Work, current_events, finish_patiently

log = getLogger(__name__)


def attach(
    app: StageApp, settings: RetrainSettings, model: ModelSettings, course: Course, replica: str
) -> None:
    """Make `app` a trainer; `replica` is its name and its consumer group: every trainer reads all of L."""
    pool = Pool()
    labelled = View(app.kafka, app.pipeline, TrainingLabel.topic, pool.fold)
    versions = Versions(app, model.line)

    async def train_for_ever() -> None:
        """As soon as this trainer is free and L has grown enough: learn, judge, publish."""
        mine = [v for v in versions.all.values() if v.trainer == replica]
        number, learned_from = len(mine), max((v.pool_size for v in mine), default=0)
        urgency = Urgency(max((v.created_at for v in mine), default=0.0), pool.__len__)
        if settings.on_drift:
            follow_drift(urgency)
        while True:
            enough = learned_from + settings.min_new_labels
            await pool.reaches(enough, settings.min_labels, urgency.wants)
            urgency.answered()
            labels = pool.labels()
            name, learned_from = f"{replica}-{number + 1:04d}", len(labels)
            await versions.catch_up()
            version = await course.run(name, labels, versions.live)
            await publish(version.model_copy(update={"trainer": replica}))
            number += 1

    def follow_drift(urgency: Urgency) -> None:
        drifts = View(app.kafka, app.pipeline, Drift.topic, urgency.fold)

        async def follow() -> None:
            await drifts.follow(pool.nudge)

        app.add_future(follow())
        app.close_at_stop(drifts.stop)

    async def publish(version: ModelVersion) -> None:
        log.info("model %s is %s: %s", version.version, version.status, version.reason)
        work = Work(outputs=[Outgoing(ModelVersion.topic, version.encode(), version.key)])
        await finish_patiently(app, work)

    @app.agent(app.source(TrainingLabel), name="retrain")
    async def retrain(stream: Any) -> None:
        await labelled.refresh()
        await versions.catch_up()
        await course.begin()
        app.add_future(train_for_ever())
        async for events in stream.noack_take(256, within=0.1):
            work, current = Work(), current_events(app, events)
            for event in current:
                record = Record.of_message(event.message)
                try:
                    TrainingLabel.decode(record.value)  # what the first reading passed over is refused here
                    labelled.fold(record)
                except BadRecord as error:
                    work.refuse(record, error)
            await finish_patiently(app, work)
            for event in current:
                await stream.ack(event)

    app.close_at_stop(course.close)
    app.close_at_stop(labelled.stop)
