"""Artifacts: named by content, never half there, never trusted unread; folder and S3 behave alike."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from siftstream.models.artifacts import ArtifactStore
from siftstream.models.artifacts.bucket import S3Store
from siftstream.models.artifacts.folder import PART
from siftstream.schemas import Artifact
from siftstream.schemas.errors import ConfigError, ModelError, UnavailableError
from tests.agents.fetch.servers import aws_environment, s3_server
from tests.plugins.leftovers import kept

NOW = 1e12  # later than any file


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with kept():
        running = s3_server()
        address = running.__enter__()
    yield address
    running.__exit__(None, None, None)


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an S3 server with an empty bucket named `bucket`; the environment leads everybody there."""
    for name, value in aws_environment(server).items():
        monkeypatch.setenv(name, value)
    from boto3.session import Session

    client: Any = Session().client("s3")
    client.create_bucket(Bucket="bucket")
    yield client
    for entry in client.list_objects_v2(Bucket="bucket").get("Contents", ()):
        client.delete_object(Bucket="bucket", Key=entry["Key"])
    client.close()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    """Both kinds."""
    if request.param == "folder":
        return ArtifactStore.open(str(tmp_path / "models"))
    request.getfixturevalue("s3")
    return ArtifactStore.open("s3://bucket/some/prefix", cache=tmp_path / "cache")


def asked(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What an S3 store asks of S3 from now on."""
    assert isinstance(store, S3Store)
    operations: list[str] = []
    call = store._call

    def noted(uri: str, operation: str, **arguments: Any) -> dict[str, Any]:
        operations.append(operation)
        return call(uri, operation, **arguments)

    monkeypatch.setattr(store, "_call", noted)
    return operations


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path / "models"))
    artifact = store.put(b"weights", ".bin")
    assert artifact.uri == (tmp_path / "models" / f"{artifact.sha256}.bin").as_uri()
    assert artifact.size == 7
    assert store.get(artifact) == b"weights"


def test_a_file_uri_with_spaces_is_a_folder(tmp_path: Path) -> None:
    store = ArtifactStore.open((tmp_path / "my models").as_uri())
    assert ArtifactStore.open(str(tmp_path / "my models")).get(store.put(b"x", ".bin")) == b"x"


def test_putting_twice_is_putting_once(tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path))
    assert store.put(b"same", ".bin") == store.put(b"same", ".bin")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path))
    artifact = store.put(b"weights", ".bin")
    next(tmp_path.iterdir()).write_bytes(b"weight")
    with pytest.raises(ModelError, match=r"6 bytes, but 7 bytes .* were announced"):
        store.get(artifact)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path))
    artifact = store.put(b"weights", ".bin")
    next(tmp_path.iterdir()).unlink()
    with pytest.raises(ModelError, match="no such file"):
        store.get(artifact)


def test_a_shared_folder_may_be_mounted_elsewhere(tmp_path: Path) -> None:
    artifact = ArtifactStore.open(str(tmp_path / "here")).put(b"weights", ".bin")
    (tmp_path / "here").rename(tmp_path / "there")
    assert ArtifactStore.open(str(tmp_path / "there")).get(artifact) == b"weights"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="cannot be written"):
        ArtifactStore.open(str(tmp_path / "file")).put(b"x", ".bin")


@pytest.mark.parametrize("uri", ["ftp://host/models", "s3:///no-bucket", "file://host/share"])
def test_a_place_that_is_no_store_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match="is no store"):
        ArtifactStore.open(uri)


def test_s3_keeps_what_was_put_and_the_cache_saves_the_way(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ArtifactStore.open("s3://bucket/some/prefix", cache=tmp_path / "writer")
    artifact = writer.put(b"weights", ".bin")
    assert artifact.uri == f"s3://bucket/some/prefix/{artifact.sha256}.bin"
    reader = ArtifactStore.open("s3://bucket/some/prefix", cache=tmp_path / "reader")
    operations = asked(reader, monkeypatch)
    assert [reader.get(artifact) for _ in range(3)] == [b"weights"] * 3
    assert operations == ["get_object"]


def test_s3_is_not_sent_again_what_it_has(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore.open("s3://bucket", cache=tmp_path)
    store.put(b"weights", ".bin")
    operations = asked(store, monkeypatch)
    store.put(b"weights", ".bin")
    assert operations == ["head_object", "copy_object"]  # a copy onto itself makes it young


def test_a_spoilt_cache_is_read_again_and_spoilt_s3_is_refused(s3: Any, tmp_path: Path) -> None:
    store = ArtifactStore.open("s3://bucket", cache=tmp_path)
    artifact = store.put(b"weights", ".bin")
    next(tmp_path.iterdir()).write_bytes(b"spoilt")
    assert store.get(artifact) == b"weights"
    for spoilt in (b"spoilt too", b"spoiled"):
        s3.put_object(Bucket="bucket", Key=f"{artifact.sha256}.bin", Body=spoilt)
        for file in tmp_path.iterdir():
            file.unlink()
        with pytest.raises(ModelError, match="were announced"):
            store.get(artifact)


def test_an_object_that_is_gone_is_no_model(s3: Any, tmp_path: Path) -> None:
    artifact = ArtifactStore.open("s3://bucket", cache=tmp_path / "a").put(b"weights", ".bin")
    s3.delete_object(Bucket="bucket", Key=f"{artifact.sha256}.bin")
    with pytest.raises(ModelError, match="S3 refused it"):
        ArtifactStore.open("s3://bucket", cache=tmp_path / "b").get(artifact)


def test_s3_that_is_away_can_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws_environment("http://127.0.0.1:9").items():  # nobody listens there
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = ArtifactStore.open("s3://bucket", cache=tmp_path)
    for call in (lambda: store.put(b"weights", ".bin"), store.files, lambda: store.claim("p")):
        with pytest.raises(UnavailableError, match="S3 cannot be reached"):
            call()


def test_a_folder_that_is_not_mounted_can_be_tried_again(tmp_path: Path) -> None:
    artifact = ArtifactStore.open(str(tmp_path / "here")).put(b"weights", ".bin")
    (tmp_path / "here").rename(tmp_path / "unmounted")
    with pytest.raises(UnavailableError, match="is not there; mount it"):
        ArtifactStore.open(str(tmp_path / "here")).get(artifact)


def test_no_file_is_read_that_is_not_named_by_its_content(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    store, sha256 = ArtifactStore.open(str(tmp_path / "models")), hashlib.sha256(b"secret").hexdigest()
    for uri in (secret.as_uri(), f"{tmp_path.as_uri()}/models/../secret", "file:///dev/zero"):
        with pytest.raises(ModelError, match="named by its SHA-256"):
            store.get(Artifact(uri=uri, sha256=sha256, size=6))
    os.mkfifo(tmp_path / sha256)
    with pytest.raises(ModelError, match="is no ordinary file"):
        store.get(Artifact(uri=(tmp_path / sha256).as_uri(), sha256=sha256, size=6))


def test_files_are_listed_with_their_age_and_go_only_when_old(store: ArtifactStore) -> None:
    assert store.files() == []
    artifact = store.put(b"weights", ".bin")
    (file,) = store.files()
    assert (file.name, file.size, file.sha256) == (f"{artifact.sha256}.bin", 7, artifact.sha256)
    assert not store.delete(file.name, file.changed_at)
    assert store.get(artifact) == b"weights"
    assert store.delete(file.name, NOW)
    assert not store.delete(file.name, NOW)
    assert store.files() == []
    with pytest.raises(ModelError):
        store.get(artifact)


def test_what_is_put_again_is_young_again_and_stays(tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path))
    artifact = store.put(b"weights", ".bin")
    path = next(tmp_path.iterdir())
    os.utime(path, (100.0, 100.0))
    inode = path.stat().st_ino
    assert [file.changed_at for file in store.files()] == [100.0]
    store.put(b"weights", ".bin")
    assert path.stat().st_ino == inode  # not written again
    assert not store.delete(path.name, 200.0)
    assert store.get(artifact) == b"weights"


def test_a_damaged_file_is_put_whole_again(tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path))
    artifact = store.put(b"weights", ".bin")
    next(tmp_path.iterdir()).write_bytes(b"spoiled")
    assert store.get(store.put(b"weights", ".bin")) == store.get(artifact) == b"weights"


def test_what_is_put_while_a_collector_takes_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector has looked; a trainer puts the file; then the collector takes it away."""
    store = ArtifactStore.open(str(tmp_path))
    artifact = store.put(b"weights", ".bin")
    path = next(tmp_path.iterdir())
    os.utime(path, (100.0, 100.0))
    replace = Path.replace

    def put_first(source: Path, target: Path) -> Path:
        if source == path:
            os.utime(path)
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", put_first)
    assert not store.delete(path.name, 200.0)
    assert store.get(artifact) == b"weights"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_dead_writers_left_goes_with_age_and_nothing_else_does(tmp_path: Path) -> None:
    store = ArtifactStore.open(str(tmp_path))
    artifact = store.put(b"weights", ".bin")
    for name, age in ((f"{PART}old", 100.0), (f"{PART}new", 300.0), ("notes.txt", 100.0)):
        (tmp_path / name).write_bytes(b"wei")
        os.utime(tmp_path / name, (age, age))
    assert store.clear(200.0) == 1
    assert {p.name for p in tmp_path.iterdir()} == {f"{artifact.sha256}.bin", f"{PART}new", "notes.txt"}
    assert [file.name for file in store.files()] == [f"{artifact.sha256}.bin"]


def test_a_writer_that_is_killed_leaves_no_file_under_its_name(tmp_path: Path) -> None:
    """kill -9 in the middle of the file: half of it is on disk, under no name that anybody reads."""
    code = (
        "import os, sys; from siftstream.models.artifacts import ArtifactStore\n"
        "real = os.fsync\n"
        "def killed(handle):\n"
        "    os.ftruncate(handle, 500_000); real(handle); os.kill(os.getpid(), 9)\n"
        "os.fsync = killed\n"
        "ArtifactStore.open(sys.argv[1]).put(bytes(1_000_000), '.bin')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(PART)
    assert left.stat().st_size == 500_000
    store = ArtifactStore.open(str(tmp_path))
    assert store.files() == []
    assert store.get(store.put(bytes(1_000_000), ".bin")) == bytes(1_000_000)
    assert store.clear(NOW) == 1


def test_a_store_knows_the_pipelines_that_use_it(store: ArtifactStore) -> None:
    assert store.claim("cats") == ("cats",)
    assert store.claim("") == store.claim("cats") == ("cats", "siftstream")
    assert store.files() == []


def test_a_store_of_another_kind_is_told_apart(tmp_path: Path) -> None:
    artifact = ArtifactStore.open(str(tmp_path)).put(b"weights", ".bin")
    with pytest.raises(ModelError, match=r"does not lie in this store, s3://bucket"):
        ArtifactStore.open("s3://bucket/models", cache=tmp_path / "c").get(artifact)
    elsewhere = artifact.model_copy(update={"uri": f"s3://bucket/{artifact.sha256}.bin"})
    with pytest.raises(ModelError, match=r"does not lie in this store, the folder"):
        ArtifactStore.open(str(tmp_path)).get(elsewhere)
