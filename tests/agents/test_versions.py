"""What is live is the same before and after compaction, and for who started later."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from siftstream.agents.versions import Versions
from siftstream.schemas import Artifact, ModelVersion, VersionStatus
from siftstream.streams.record import Record
from siftstream.streams.settings import KafkaSettings, PipelineSettings

FILE = Artifact(uri="file:///x", sha256="0" * 64, size=1)
NAMES = ["v1", "v2", "v3"]


def versions() -> Any:
    app: Any = SimpleNamespace(
        kafka=KafkaSettings(), pipeline=PipelineSettings(), close_at_stop=lambda _: None
    )
    return Versions(app, "main")


def told(name: str, status: str = "live", line: str = "main", **more: Any) -> ModelVersion:
    return ModelVersion(
        line=line, version=name, classes=("a",), status=VersionStatus(status), encoder=FILE, head=FILE, **more
    )


def folded(log: list[ModelVersion | bytes]) -> Any:
    """Versions, or keys of versions that are deleted, as a view folds them."""
    found = versions()
    for offset, one in enumerate(log):
        key, value = (one, None) if isinstance(one, bytes) else (one.key, one.encode())
        found._fold(Record("models", 0, offset, key, value))
    return found


def test_the_last_word_in_the_log_is_live_and_a_return_counts() -> None:
    found = folded([told("v1"), told("v2"), told("other", line="beside"), told("v1", replaced="v2")])
    assert found.live.version == "v1"
    assert found.history == ["v2", "v1"]
    assert found.before.version == "v2"
    assert list(found.all) == ["v2", "v1"]
    assert len(found.every) == 3


def test_what_is_retired_collected_or_deleted_is_not_live() -> None:
    log = [told("v1"), told("v2"), told("v3")]
    assert folded([*log, told("v2", "retired", pinned=True)]).live.version == "v3"
    assert folded([*log, told("v3", "rejected")]).live.version == "v2"
    assert folded([*log, told("v3").key]).live.version == "v2"
    assert folded([*log, told("v2", "retired", collected=True)]).before.version == "v1"
    assert folded([]).live is None
    assert folded([]).before is None


def test_who_hears_of_versions_hears_of_a_pin_as_of_the_same_one() -> None:
    heard: list[str] = []
    found = folded([told("v1")])
    found._changed = lambda version: heard.append(version.version)
    found._tell()
    found._tell()
    assert heard == ["v1"]


words = st.builds(
    told, st.sampled_from(NAMES), st.sampled_from(["live", "live", "retired", "candidate"]),
    replaced=st.none() | st.sampled_from(NAMES), held=st.booleans(), collected=st.just(False),
)  # fmt: skip


@given(st.lists(words, max_size=8))
def test_a_compacted_log_says_the_same(log: list[ModelVersion]) -> None:
    last = {version.key: number for number, version in enumerate(log)}
    whole, compacted = folded(list(log)), folded([log[number] for number in sorted(last.values())])
    assert whole.live == compacted.live
    assert whole.history == compacted.history
    assert whole.before == compacted.before
