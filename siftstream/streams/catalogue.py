"""What of the design's topics is on the cluster: partitions, records, differences."""

from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.protocol.consumer import OffsetSpec
from kafka.structs import TopicPartition

from siftstream.schemas.errors import UnavailableError
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import TOPICS, differences


@dataclass(frozen=True)
class TopicState:
    """One of the design's topics as the cluster has it."""

    name: str  # on the cluster, with the pipeline's prefix
    partitions: int  # 0: not there
    records: int  # between first and last offset: with compaction fewer are left
    cleanup: str


def read_catalogue(kafka: KafkaSettings, pipeline: PipelineSettings) -> tuple[list[TopicState], list[str]]:
    """Return each topic's state, and a sentence for each difference from the design.

    Raises:
        UnavailableError: the cluster does not answer.
    """
    try:
        admin: Any = KafkaAdminClient(**kafka.client_options())
        try:
            there = set(admin.list_topics())
            names = {pipeline.topic(spec.name): spec for spec in TOPICS}
            partitions = {
                topic["name"]: [
                    TopicPartition(topic["name"], found["partition_index"]) for found in topic["partitions"]
                ]
                for topic in (admin.describe_topics(sorted(there & set(names))) if there & set(names) else [])
            }
            places = [place for group in partitions.values() for place in group]
            first = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST)) if places else {}
            last = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST)) if places else {}
            told = differences(admin, pipeline, there)
        finally:
            admin.close()
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {kafka.bootstrap_servers} does not answer: {error}; is it up?"
        ) from error
    states = [
        TopicState(
            name, len(partitions.get(name, [])),
            sum(last[place].offset - first[place].offset for place in partitions.get(name, [])),
            spec.configs.get("cleanup.policy", ""),
        )
        for name, spec in names.items()
    ]  # fmt: skip
    return states, told
