"""The topics of a pipeline: created by the admin API, never by accident; differences are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError

from siftstream.schemas.errors import ConfigError, UnavailableError
from siftstream.streams.settings import KafkaSettings, PipelineSettings

HOUR, DAY, GIB = 3_600_000, 86_400_000, 1 << 30
FOR_EVER = "-1"


@dataclass(frozen=True)
class TopicSpec:
    """One topic: its name in the design, whether it has P partitions or one, and its settings."""

    name: str
    parallel: bool
    configs: Mapping[str, str] = field(default_factory=dict)


def _kept(milliseconds: int, size: int | None = None) -> dict[str, str]:
    kept = {"cleanup.policy": "delete", "retention.ms": str(milliseconds)}
    return kept | ({"retention.bytes": str(size)} if size else {})


_COMPACT = {"cleanup.policy": "compact", "retention.ms": FOR_EVER}
_LABELS = {"cleanup.policy": "delete", "retention.ms": FOR_EVER}
# What was chosen is what the budget has spent, and is never asked again: kept for ever. A recalled choice
# still counts in the rates of a day, so nothing is compacted away earlier.
_SETTLED = {"min.compaction.lag.ms": str(7 * DAY)}
_SELECTED = _COMPACT | _SETTLED
# Whole record batches are written everywhere, so every topic takes the largest one; a dead letter is
# as large as what died, and its headers.
_LARGE = {"max.message.bytes": str(8 << 20)}
_LARGER = {"max.message.bytes": str(9 << 20)}

TOPICS: tuple[TopicSpec, ...] = (
    TopicSpec("data-uris", parallel=True, configs=_kept(7 * DAY) | _LARGE),
    TopicSpec("features", parallel=True, configs=_kept(DAY, GIB) | _LARGE),
    TopicSpec("scores", parallel=True, configs=_kept(7 * DAY) | _LARGE),
    TopicSpec("shadow", parallel=True, configs=_kept(7 * DAY, GIB) | _LARGE),
    TopicSpec("selected", parallel=True, configs=_SELECTED | _LARGE),
    TopicSpec("shadow-selected", parallel=True, configs=_kept(7 * DAY) | _LARGE),
    TopicSpec("labels", parallel=True, configs=_LABELS | _LARGE),
    TopicSpec("labelled", parallel=True, configs=_COMPACT | _LARGE),
    TopicSpec("models", parallel=False, configs=_COMPACT | _LARGE),
    TopicSpec("queries", parallel=False, configs=_kept(DAY) | _LARGE),
    TopicSpec("offers", parallel=False, configs=_kept(DAY) | _LARGE),
    TopicSpec("budget", parallel=False, configs=_COMPACT | _SETTLED | _LARGE),
    TopicSpec("drift", parallel=True, configs=_kept(30 * DAY) | _LARGE),
    TopicSpec("rereads", parallel=True, configs=_kept(DAY) | _LARGE),
    TopicSpec("training", parallel=False, configs=_COMPACT | _LARGE),
    TopicSpec("commands", parallel=False, configs=_COMPACT | _LARGE),
    TopicSpec("dead-letters", parallel=True, configs=_kept(30 * DAY) | _LARGER),
)

_PARALLEL = {spec.name: spec.parallel for spec in TOPICS}


def partitions_of(topic: str, pipeline: PipelineSettings) -> int:
    """Return how many partitions a topic (design name) has.

    >>> partitions_of("models", PipelineSettings(partitions=8))
    1
    """
    return pipeline.partitions if _PARALLEL[topic] else 1


def ensure_topics(kafka: KafkaSettings, pipeline: PipelineSettings) -> list[str]:
    """Create what is missing; return a sentence for each existing topic that differs from the design.

    Raises:
        UnavailableError: the cluster does not answer or refuses.
    """
    try:
        admin = KafkaAdminClient(**kafka.client_options())
        try:
            there = set(admin.list_topics())
            _create(admin, kafka, pipeline, there)
            return differences(admin, pipeline, there)
        finally:
            admin.close()
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {kafka.bootstrap_servers} could not make the topics: {error};"
            " is it up and are we allowed?"
        ) from error


def _create(admin: Any, kafka: KafkaSettings, pipeline: PipelineSettings, there: set[str]) -> None:
    missing = {
        pipeline.topic(spec.name): {
            "num_partitions": partitions_of(spec.name, pipeline),
            "replication_factor": kafka.replication_factor,
            "configs": dict(spec.configs),
        }
        for spec in TOPICS
        if pipeline.topic(spec.name) not in there
    }
    for name, options in missing.items():
        try:
            admin.create_topics({name: options})
        except TopicAlreadyExistsError:  # another worker was first
            continue
    if missing:
        admin.wait_for_topics(list(missing))


def differences(admin: Any, pipeline: PipelineSettings, there: set[str]) -> list[str]:
    """Return a sentence for each way in which the topics that are `there` differ from the design."""
    ours = {pipeline.topic(spec.name): spec for spec in TOPICS if pipeline.topic(spec.name) in there}
    if not ours:
        return []
    told = _miscounted(admin, pipeline, ours)
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in ours]
    described = admin.describe_configs(resources, config_filter="all").get("topic", {})
    for name, spec in ours.items():
        for key, wanted in spec.configs.items():
            value = described.get(name, {}).get(key, {}).get("value")
            if value is not None and not _same(str(value), wanted):
                told.append(f"{name}: {key} is {value}, the design says {wanted}")
    return told


def _miscounted(admin: Any, pipeline: PipelineSettings, ours: Mapping[str, TopicSpec]) -> list[str]:
    told: list[str] = []
    for topic in admin.describe_topics(list(ours)):
        found, wanted = len(topic["partitions"]), partitions_of(ours[topic["name"]].name, pipeline)
        if found != wanted:
            told.append(f"{topic['name']} has {found} partitions, pipeline.partitions asks for {wanted}")
    return told


def require_partitions(kafka: KafkaSettings, pipeline: PipelineSettings) -> None:
    """Refuse to work where a topic has another number of partitions: samples would miss each other.

    Raises:
        ConfigError: the first topic at fault, and what to do; UnavailableError: the cluster does not answer.
    """
    try:
        admin = KafkaAdminClient(**kafka.client_options())
        try:
            told = _miscounted(admin, pipeline, {pipeline.topic(spec.name): spec for spec in TOPICS})
        finally:
            admin.close()
    except KafkaError as error:
        raise UnavailableError(f"Kafka at {kafka.bootstrap_servers} does not answer: {error}") from error
    if told:
        raise ConfigError(
            f"{told[0]}: every parallel topic needs the same number;"
            " set pipeline.partitions to it, delete the topic, or use another pipeline.name"
        )


def _same(found: str, wanted: str) -> bool:
    return sorted(found.replace(" ", "").split(",")) == sorted(wanted.split(","))
