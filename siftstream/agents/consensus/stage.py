"""The consensus stage: labels in, one training label a sample out (the pool L)."""

from collections.abc import Sequence
from typing import Any

from siftstream.agents.consensus.ballots import Ballots, Origin
from siftstream.schemas import Label, Selected, TrainingLabel
from siftstream.schemas.errors import BadRecord, LabelError
from siftstream.streams.app import StageApp
from siftstream.streams.partition import partition_of
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.view import View
from siftstream.streams.work import Work, decoded, refused_later, work_through

FORWARDED = "siftstream.forwarded"  # header of a label that was moved to its sample's partition


def attach(app: StageApp, ballots: Ballots) -> None:
    """Make `app` the consensus stage."""
    origins: dict[str, Origin] = {}

    def remember_origin(record: Record) -> None:
        if record.value is None:  # recalled: a label that comes late is good all the same
            return
        chosen = Selected.decode(record.value)
        origins[chosen.sample_id] = Origin.of(chosen)

    def hear(record: Record) -> None:
        label = Label.decode(record.value)
        ballots.check(label)
        ballots.hear(label)

    selected = View(app.kafka, app.pipeline, Selected.topic, remember_origin, refused_later(app))
    labels = View(app.kafka, app.pipeline, Label.topic, hear)
    restored: dict[int, int] = {}  # partition -> generation whose words are all heard

    def home(label: Label) -> int:
        return partition_of(label.sample_id, app.pipeline.partitions)

    async def origin_of(label: Label, partition: int) -> Origin:
        """Who labels a sample has seen it in `selected`, so what is unknown there needs a URI of its own."""
        if label.sample_id not in origins:
            await selected.refresh([partition])
        if label.sample_id in origins:
            return origins[label.sample_id]
        if label.uri is None:
            raise LabelError(
                f"labels: sample {label.sample_id!r} was never selected and the label has no uri"
            )
        return Origin(label.uri)

    async def handle(records: Sequence[Record]) -> Work:
        work = Work()
        for partition in {record.partition for record in records}:
            if restored.get(partition) != app.consumer_generation_id:
                await labels.refresh([partition])
                restored[partition] = app.consumer_generation_id
        for record, label in decoded(Label, records, work):
            if home(label) != record.partition:
                work.outputs.append(forwarded(record, home(label)))
                continue
            try:
                ballots.check(label)
                origin = await origin_of(label, record.partition)
                labels.fold(record)
                resolved = ballots.resolve(label.sample_id, origin)
            except BadRecord as error:
                work.refuse(record, error)
                continue
            work.outputs.append(
                Outgoing(TrainingLabel.topic, resolved.encode(), resolved.key, partition=record.partition)
            )
        return work

    @app.agent(app.source(Label), name="consensus")
    async def consensus(stream: Any) -> None:
        await work_through(app, stream, handle, at_most=256, within=0.05)

    app.close_at_stop(selected.stop)
    app.close_at_stop(labels.stop)


def forwarded(record: Record, partition: int) -> Outgoing:
    """Return the label for its sample's own partition; its writer used another partitioner or no key."""
    if record.header(FORWARDED):
        raise LabelError(
            f"labels: forwarded once already, but {partition} is not where it lies; are topics equal?"
        )
    headers = (*record.headers, (FORWARDED, str(record.partition).encode()))
    return Outgoing(Label.topic, record.value, record.key, partition, headers)
