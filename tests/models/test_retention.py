"""Retention: what may never go stays whatever happens, files are told before they go, races keep files."""

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siftstream.agents.retrain.collecting import DAY_S, Collected, Topic, collect
from siftstream.agents.retrain.settings import KeepSettings
from siftstream.models.artifacts import ArtifactStore, Stored
from siftstream.models.retention import artifacts_of, collectable, unnamed
from siftstream.schemas import Artifact, ModelVersion, VersionStatus
from siftstream.schemas.live import before, live_of

NOW = 1e9
STATUSES = (VersionStatus.LIVE, VersionStatus.RETIRED, VersionStatus.CANDIDATE, VersionStatus.REJECTED)


def artifact(content: str) -> Artifact:
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    return Artifact(uri=f"file:///{sha256}.bin", sha256=sha256, size=len(content))


def version(name: str, status: str = "live", line: str = "main", **more: Any) -> ModelVersion:
    facts = {"encoder": artifact("encoder"), "head": artifact(name), "created_at": 0.0} | more
    return ModelVersion(line=line, version=name, classes=("a",), status=VersionStatus(status), **facts)


def files_of(versions: list[ModelVersion], changed_at: float = 0.0) -> list[Stored]:
    hashes = {a.sha256: a.size for v in versions for a in artifacts_of(v)}
    return [Stored(f"{sha256}.bin", size, changed_at) for sha256, size in hashes.items()]


class Log:
    """A compacted topic in memory; `meanwhile` is published just before our first word."""

    def __init__(self, versions: list[ModelVersion]) -> None:
        self.records = list(versions)
        self.meanwhile: list[ModelVersion] = []
        self.topic = Topic("cats", self.read, self.publish)
        self.told: list[str] = []

    async def read(self) -> list[ModelVersion]:
        last = {version.key: number for number, version in enumerate(self.records)}
        return [self.records[number] for number in sorted(last.values())]

    async def publish(self, version: ModelVersion) -> None:
        self.records += [*self.meanwhile, version]
        self.meanwhile = []
        self.told.append(version.version)

    def collect(self, store: ArtifactStore, keep: KeepSettings, **more: Any) -> Collected:
        return asyncio.run(collect(self.topic, store, "main", keep, now=lambda: NOW, **more))

    def standing(self) -> dict[str, ModelVersion]:
        return {version.version: version for version in asyncio.run(self.read())}


def test_the_newest_the_live_its_parent_its_predecessor_and_the_pinned_stay() -> None:
    versions = [
        version("imported", "retired"), version("root"), version("pinned", "rejected", pinned=True),
        version("parent"), version("before"), version("old"), version("rejected", "rejected"),
        version("live", parent="parent", replaced="before", created_at=1.0),
        version("old candidate", "candidate"), version("candidate", "candidate", created_at=2.0),
        version("new", "rejected", created_at=3.0),
    ]  # fmt: skip
    gone = collectable(versions, "main", 1, NOW)
    assert [v.version for v in gone] == ["imported", "root", "old", "rejected", "old candidate"]
    assert all(v.collected for v in gone)
    assert {v.version: v.status for v in gone}["root"] == "retired"  # said again, it does not go live
    assert collectable(versions, "main", None, NOW) == ()
    assert [v.version for v in collectable(versions, "main", 2, NOW)] == [v.version for v in gone]
    assert collectable(versions, "main", 1, 0.0) == ()  # all are young


def test_other_lines_are_not_ours_to_collect_and_their_files_stay() -> None:
    versions = [version("a", "rejected"), version("b"), version("c", "rejected", line="shadow")]
    assert [v.version for v in collectable(versions, "main", 1, NOW)] == ["a"]
    kept = [v for v in versions if v.version != "a"]
    left = unnamed(kept, files_of(versions), NOW)
    assert [file.sha256 for file in left] == [artifact("a").sha256]  # the encoder is shared


@st.composite
def logs(draw: st.DrawFn) -> list[ModelVersion]:
    names = [f"v{number}" for number in range(draw(st.integers(1, 8)))]
    made: list[ModelVersion] = []
    for name in draw(st.permutations(names)):
        status = draw(st.sampled_from(STATUSES))
        other = st.none() | st.sampled_from(names)
        made.append(
            version(
                name, status, line=draw(st.sampled_from(["main", "other"])),
                encoder=artifact(draw(st.sampled_from(["e1", "e2"]))),
                head=artifact(draw(st.sampled_from("abc"))),
                parent=draw(other), replaced=draw(other), pinned=draw(st.booleans()),
                held=draw(st.booleans()), created_at=draw(st.sampled_from([0.0, 1.0, 2.0, NOW])),
            )
        )  # fmt: skip
    return made


@given(logs(), st.none() | st.integers(1, 3), st.sampled_from([0.5, 1.5, NOW]))
def test_the_rule_keeps_what_must_stay_and_changes_nothing_about_what_is_live(
    versions: list[ModelVersion], newest: int | None, young: float
) -> None:
    gone = {v.key: v for v in collectable(versions, "main", newest, young)}
    for line, live in live_of(versions).items():
        parents = {live.version, live.parent}
        earlier = before(live, versions)
        must_stay = [v for v in versions if v.line == line and v.version in parents]
        must_stay += [earlier] if earlier else []
        assert not any(v.key in gone for v in must_stay)
    assert not any(v.pinned or v.line != "main" or v.created_at >= young for v in gone.values())
    published = [v for v in versions if v.key not in gone] + list(gone.values())
    assert live_of(published) == live_of(versions)
    assert collectable(published, "main", newest, young) == ()  # the rule is done in one step
    kept = {a.sha256 for v in published if not v.collected for a in artifacts_of(v)}
    files = files_of(versions)
    left = unnamed(published, files, young)
    assert {file.sha256 for file in files} - {file.sha256 for file in left} >= kept & {
        f.sha256 for f in files
    }
    assert not {file.sha256 for file in left} & kept


def stored(tmp_path: Path, versions: dict[str, bytes], *, age: float = 0.0) -> dict[str, Artifact]:
    store = ArtifactStore.open(str(tmp_path))
    found = {name: store.put(data, ".bin") for name, data in versions.items()}
    for path in tmp_path.glob("*.bin"):
        os.utime(path, (age, age))
    return found


@pytest.fixture
def log(tmp_path: Path) -> Log:
    heads = stored(tmp_path, {"old": b"old", "live": b"live", "orphan": b"orphan", "e": b"e"})
    old, live = (
        version(name, encoder=heads["e"], head=heads[name], created_at=at)
        for name, at in (("old", 0.0), ("live", 1.0))
    )  # fmt: skip
    between = version("between", encoder=heads["e"], head=heads["live"], created_at=0.5)
    return Log([old, between, live.model_copy(update={"replaced": "between"})])


KEEP = KeepSettings(versions=1, days=1.0)


def contents(tmp_path: Path) -> set[bytes]:
    return {path.read_bytes() for path in tmp_path.glob("*.bin")}


def test_versions_are_told_as_collected_before_their_files_go(log: Log, tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path))
    would = log.collect(store, KEEP, dry_run=True)
    assert (would.versions, contents(tmp_path)) == (("old",), {b"old", b"live", b"orphan", b"e"})
    gone = log.collect(store, KEEP)
    assert gone.versions == ("old",)
    assert sorted(file.size for file in gone.files) == sorted(file.size for file in would.files) == [3, 6]
    assert contents(tmp_path) == {b"live", b"e"}
    assert (log.standing()["old"].collected, log.standing()["old"].status) == (True, "retired")
    assert log.collect(store, KEEP) == Collected()


def test_after_a_crash_between_word_and_deed_the_next_collector_deletes(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtifactStore.open(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(store, "delete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            log.collect(store, KEEP)
    assert log.standing()["old"].collected
    assert b"old" in contents(tmp_path)
    assert log.collect(store, KEEP).versions == ()
    assert contents(tmp_path) == {b"live", b"e"}


def test_a_trainer_that_publishes_the_same_bytes_at_that_moment_keeps_them(log: Log, tmp_path: Path) -> None:
    """It puts files that the collector has already chosen, then publishes."""
    store = ArtifactStore.open(str(tmp_path))
    listed = store.files

    def put_after() -> list[Stored]:
        found = listed()
        ArtifactStore.open(str(tmp_path)).put(b"old", ".bin")
        return found

    store.files = put_after  # type: ignore[method-assign]
    assert log.collect(store, KEEP).versions == ("old",)
    assert contents(tmp_path) == {b"old", b"live", b"e"}


def test_what_is_published_between_our_word_and_our_deed_keeps_its_files(log: Log, tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path))
    old = log.standing()["old"]
    log.meanwhile = [old.model_copy(update={"version": "again", "status": VersionStatus.CANDIDATE})]
    assert log.collect(store, KEEP).versions == ("old",)
    assert b"old" in contents(tmp_path)


def test_nothing_goes_that_is_young_or_of_a_store_with_two_pipelines(log: Log, tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path))
    assert log.collect(store, KeepSettings(versions=1, days=2 * NOW / DAY_S)) == Collected()
    store.claim("dogs")
    gone = log.collect(store, KEEP)
    assert "several pipelines (cats, dogs)" in gone.refused
    assert (gone.versions, log.told) == ((), [])
    assert contents(tmp_path) == {b"old", b"live", b"orphan", b"e"}
