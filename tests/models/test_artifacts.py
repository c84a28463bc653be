"""Artifacts: named by content, never half there, never trusted unread; folder and S3 behave alike."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from siftstream.models.artifacts import ArtifactStore
from siftstream.schemas.errors import ConfigError, ModelError, UnavailableError


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as a store needs: PUT and GET of whole objects."""

    objects: dict[str, bytes]
    requests: list[str]
    status = 200

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.status == 200:
            self.objects[self.path] = data
        self._answer(self.status, b"")

    def do_GET(self) -> None:
        found = self.objects.get(self.path)
        if self.status != 200 or found is None:
            code = b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"
            self._answer(404 if self.status == 200 else self.status, code)
        else:
            self._answer(200, found)

    def _answer(self, status: int, body: bytes) -> None:
        self.requests.append(f"{self.command} {self.path}")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Bucket]]:
    handler = type("OneBucket", (Bucket,), {"objects": {}, "requests": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


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
    with pytest.raises(ModelError, match=r"6 bytes with SHA-256 .* 7 bytes .* were announced"):
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


def test_s3_keeps_what_was_put_and_the_cache_saves_the_way(bucket: type[Bucket], tmp_path: Path) -> None:
    writer = ArtifactStore.open("s3://bucket/some/prefix", cache=tmp_path / "writer")
    artifact = writer.put(b"weights", ".bin")
    assert artifact.uri == f"s3://bucket/some/prefix/{artifact.sha256}.bin"
    assert list(bucket.objects.values()) == [b"weights"]
    reader = ArtifactStore.open("s3://bucket/some/prefix", cache=tmp_path / "reader")
    assert [reader.get(artifact) for _ in range(3)] == [b"weights"] * 3
    assert [line.split()[0] for line in bucket.requests] == ["PUT", "GET"]


def test_a_spoilt_cache_is_read_again_and_spoilt_s3_is_refused(bucket: type[Bucket], tmp_path: Path) -> None:
    store = ArtifactStore.open("s3://bucket", cache=tmp_path)
    artifact = store.put(b"weights", ".bin")
    next(tmp_path.iterdir()).write_bytes(b"spoilt")
    assert store.get(artifact) == b"weights"
    bucket.objects = dict.fromkeys(bucket.objects, b"spoilt too")
    next(tmp_path.iterdir()).unlink()
    with pytest.raises(ModelError, match="were announced"):
        store.get(artifact)


def test_an_object_that_is_gone_is_no_model(bucket: type[Bucket], tmp_path: Path) -> None:
    store = ArtifactStore.open("s3://bucket", cache=tmp_path / "a")
    artifact = store.put(b"weights", ".bin")
    bucket.objects = {}
    with pytest.raises(ModelError, match="S3 refused it"):
        ArtifactStore.open("s3://bucket", cache=tmp_path / "b").get(artifact)


def test_s3_that_is_away_can_be_tried_again(
    bucket: type[Bucket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    bucket.status = 501
    with pytest.raises(UnavailableError, match="S3 is away"):
        ArtifactStore.open("s3://bucket", cache=tmp_path).put(b"weights", ".bin")


def test_a_store_of_another_kind_is_told_apart(tmp_path: Path) -> None:
    artifact = ArtifactStore.open(str(tmp_path)).put(b"weights", ".bin")
    with pytest.raises(ModelError, match=r"does not lie in this store, s3://bucket"):
        ArtifactStore.open("s3://bucket/models", cache=tmp_path / "c").get(artifact)
    elsewhere = artifact.model_copy(update={"uri": "s3://bucket/x.bin"})
    with pytest.raises(ModelError, match=r"does not lie in this store, the folder"):
        ArtifactStore.open(str(tmp_path)).get(elsewhere)
