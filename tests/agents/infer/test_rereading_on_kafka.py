"""Reading features again as a user runs it: kills and rebalances in mid-job, select's own request."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.structs import TopicPartition

from siftstream.schemas import Features, ModelVersion, Query, Reread, Scores, Selected
from siftstream.settings import load_settings
from tests.agents.infer.graphs import encoder
from tests.agents.infer.test_on_kafka import CLASSES, PARTITIONS, Pipeline
from tests.line.workers import Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

SAMPLES, LIVE = 1_200, 200


@pytest.fixture
def pipeline(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    config: dict[str, Any] = {
        "pipeline": {"name": topic_prefix, "partitions": PARTITIONS},
        "kafka": {"bootstrap_servers": broker},
        "classes": list(CLASSES),
        "transform": {"height": 8, "width": 8, "channels": 1},
        "model": {"artifacts": str(tmp_path / "artifacts")},
        "infer": {"batch": {"min": 1}},  # hundreds of batches, so that there is a middle of the job
        "select": {"rescore": "reinfer", "trigger": {"every": None}, "strategy": {"name": "margin"}},
        "state": str(tmp_path / "state"),
    }
    for line in closing(Line(tmp_path, config)):
        made = Pipeline(line, tmp_path / "artifacts")
        try:
            yield made
        finally:
            made.producer.close()


class Said:
    """The scores in the log: as they came, and those made again."""

    def __init__(self, line: Line) -> None:
        self.first: dict[str, tuple[str, int]] = {}  # version and source, by sample
        self.again: dict[str, tuple[str, int]] = {}
        self.heads: dict[int, int] = {}  # last offset by partition
        for record in line.records(Scores.topic):
            batch = Scores.decode(record.value)
            where = self.again if batch.again else self.first
            self.heads[record.partition] = record.offset
            for name in batch.sample_ids:
                assert batch.again or name not in where, f"{name} twice"
                where[name] = (batch.model_version, batch.source)


def scored_by_the_first_model(pipeline: Pipeline) -> list[str]:
    pipeline.publish(pipeline.version("v1", encoder(1)))
    pipeline.line.start("infer-0")
    pipeline.said("infer runs model v1")
    ids = pipeline.send([n % 200 for n in range(SAMPLES)], "old")
    wait_for(lambda: len(Said(pipeline.line).first) == SAMPLES, 60, "scores of v1")
    return ids


def owners(pipeline: Pipeline) -> int:
    """How many members of the infer group have partitions of `rereads`."""
    group = load_settings(pipeline.line.config).pipeline.group("infer")
    admin: Any = KafkaAdminClient(bootstrap_servers=pipeline.line.bootstrap)
    try:
        members = admin.describe_groups([group])[group]["members"]
        topic = pipeline.line.topic(Reread.topic)
        return sum(topic in str(one["member_assignment"]) for one in members)
    finally:
        admin.close()


def committed(pipeline: Pipeline) -> dict[int, int | None]:
    """Where the infer group stands in `rereads`, by partition."""
    settings = load_settings(pipeline.line.config)
    group = settings.pipeline.group("infer")
    consumer: Any = KafkaConsumer(
        bootstrap_servers=pipeline.line.bootstrap, group_id=group, enable_auto_commit=False
    )
    try:
        topic = pipeline.line.topic(Reread.topic)
        return {p: consumer.committed(TopicPartition(topic, p)) for p in range(PARTITIONS)}
    finally:
        consumer.close()


def ask_for_all(pipeline: Pipeline, version: ModelVersion) -> None:
    """Write a request for all features that there are, as select does."""
    assert version.encoder is not None
    ends = {record.partition: record.offset + 1 for record in pipeline.line.records(Features.topic)}
    topic = pipeline.line.topic(Reread.topic)
    for partition, end in ends.items():
        asked = Reread(
            partition=partition, version=version.version, encoder=version.encoder.sha256, first=0, end=end
        )
        pipeline.producer.send(topic, asked.encode(), key=asked.key, partition=partition).get(30)


def test_a_killed_workers_rereading_is_completed_by_the_next_while_the_live_flow_goes_on(
    pipeline: Pipeline,
) -> None:
    ids, line = scored_by_the_first_model(pipeline), pipeline.line
    second = pipeline.version("v2", encoder(2))
    pipeline.publish(second)
    ask_for_all(pipeline, second)  # perhaps while v2 is still being loaded
    pipeline.said("was read again for v2")  # one partition; in the middle of the other
    line.kill("infer-0")
    assert 0 < len(Said(line).again) < SAMPLES, "the kill came too late to be in the middle"
    assert None in committed(pipeline).values()

    line.start("infer-1")
    pipeline.said("is read again for v2", "infer-1")
    live = pipeline.send([1] * LIVE, "live")
    wait_for(lambda: set(live) <= Said(line).first.keys(), 60, "the live flow")
    wait_for(lambda: len(Said(line).again) == SAMPLES, 60, "all made again")
    wait_for(lambda: committed(pipeline) == dict.fromkeys(range(PARTITIONS), 1), 30, "the commit")

    said = Said(line)
    assert said.again.keys() == set(ids)
    assert {version for version, _ in said.again.values()} == {"v2"}
    assert {said.first[name][0] for name in ids} == {"v1"}
    assert {said.first[name][0] for name in live} == {"v2"}
    assert all(said.again[name][1] == said.first[name][1] for name in ids)  # the same record of features
    assert not pipeline.refused()
    assert "0 left out" in pipeline.said("was read again for v2", "infer-1")


def test_a_worker_that_leaves_in_mid_job_hands_its_part_over_and_the_other_goes_on(
    pipeline: Pipeline,
) -> None:
    ids, line = scored_by_the_first_model(pipeline), pipeline.line
    line.start("infer-1")
    wait_for(lambda: owners(pipeline) == 2, 60, "a partition for each")
    second = pipeline.version("v2", encoder(2))
    pipeline.publish(second)
    ask_for_all(pipeline, second)
    for name in ("infer-0", "infer-1"):
        pipeline.said("is read again for v2", name)
    line.kill("infer-1", signal.SIGTERM)
    wait_for(lambda: Said(line).again.keys() == set(ids), 60, "all made again")
    wait_for(lambda: committed(pipeline) == dict.fromkeys(range(PARTITIONS), 1), 30, "the commits")
    assert {version for version, _ in Said(line).again.values()} == {"v2"}
    assert not pipeline.refused()


def test_with_reinfer_the_window_has_the_new_models_scores_without_a_new_sample(pipeline: Pipeline) -> None:
    ids, line = scored_by_the_first_model(pipeline), pipeline.line
    line.start("select-0")

    def asked(name: str) -> list[Selected]:
        """Ask for samples as they stand after the last record of `scores`; return them."""
        query = Query(query_id=name, budget=40, after=Said(line).heads)
        pipeline.producer.send(line.topic(Query.topic), query.encode(), key=query.key).get(30)

        def chosen() -> list[Selected]:
            found = [Selected.decode(one.value) for one in line.records(Selected.topic)]
            return [one for one in found if one.query_id == name]

        return wait_for(lambda: mine if len(mine := chosen()) == 40 else None, 60, name)

    before = asked("before")
    assert {one.model_version for one in before} == {"v1"}
    pipeline.publish(pipeline.version("v2", encoder(2)))
    wait_for(lambda: Said(line).again.keys() == set(ids), 60, "all made again")
    after = asked("after")
    assert {one.model_version for one in after} == {"v2"}
    assert not {one.sample_id for one in after} & {one.sample_id for one in before}
    assert {one.sample_id for one in after} <= set(ids)
    requests = [Reread.decode(one.value) for one in line.records(Reread.topic)]
    assert {one.version for one in requests} == {"v2"}
