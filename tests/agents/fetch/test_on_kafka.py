"""The fetch stage as a user runs it: a worker process on the real broker."""

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaProducer
from PIL import Image

from siftstream.schemas import Artifact, DataUri, Features, ModelInput, ModelVersion, VersionStatus
from siftstream.settings import load_settings
from siftstream.streams.partition import partition_of
from siftstream.streams.topics import ensure_topics
from tests.agents.fetch.tiny_server import TinyServer
from tests.line.workers import Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

URIS, BROKEN = 10_000, 500


@pytest.fixture
def line(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Line]:
    (tmp_path / "images").mkdir()
    config: dict[str, Any] = {
        "pipeline": {"name": topic_prefix, "partitions": 4},
        "kafka": {"bootstrap_servers": broker},
        "transform": {"height": 8, "width": 8, "channels": 1, "max_pixels": 10_000},
        "fetch": {
            "file_roots": [str(tmp_path / "images")],
            "allow_private_addresses": ["localhost"],
            "max_bytes": 50_000,
            "attempts": 2,
            "backoff": 0.01,
        },
        "state": str(tmp_path / "state"),
    }
    yield from closing(Line(tmp_path, config))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def send(line: Line, events: list[DataUri]) -> None:
    producer = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all", linger_ms=20)
    wait_for(lambda: producer.partitions_for(line.topic("data-uris")), 30, "topics")
    sent = [producer.send(line.topic("data-uris"), e.encode(), key=e.key) for e in events]
    for future in sent:
        future.get(30)
    producer.close()


def fetched(line: Line) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for record in line.records("features"):
        batch = Features.decode(record.value)
        for name, image in zip(batch.sample_ids, batch.inputs["image"], strict=True):
            assert record.partition == partition_of(name, 4)
            found[name] = image
    return found


def letters(line: Line) -> dict[str, tuple[str, str]]:
    """Dead letters by sample id: the error's type and its sentence."""
    found: dict[str, tuple[str, str]] = {}
    for record in line.records("dead-letters"):
        headers = {key: value.decode() for key, value in record.headers}
        name = DataUri.decode(record.value).sample_id
        found[name] = (headers["siftstream.error.type"], headers["siftstream.error.message"])
    return found


def broken_ways(folder: Path, server: TinyServer) -> dict[str, tuple[str, str]]:
    """Eight broken URIs: each with the type and words of its dead letter."""
    good = png(np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8))
    (folder / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "page.png").write_bytes(b"<html><body>not found</body></html>")
    (folder / "huge.png").write_bytes(bytes(60_000))
    (folder / "bomb.png").write_bytes(png(np.zeros((200, 200), np.uint8)))
    (folder.parent / "outside.png").write_bytes(good)
    return {
        (folder / "nowhere.png").as_uri(): ("LoadError", "No such file"),
        (folder / "cut.png").as_uri(): ("TransformError", "not a readable image"),
        (folder / "page.png").as_uri(): ("TransformError", "looks like HTML"),
        (folder / "huge.png").as_uri(): ("RefusedError", "larger than fetch.max_bytes"),
        (folder / "bomb.png").as_uri(): ("TransformError", "too many pixels"),
        (folder.parent / "outside.png").as_uri(): ("RefusedError", "outside the folders"),
        f"{server.url}/missing.png?sig=s3cr3t": ("LoadError", "HTTP 404"),
        "http://169.254.169.254/latest/meta-data": ("RefusedError", "private, loopback or link-local"),
    }


def test_ten_thousand_uris_five_percent_broken_in_eight_ways_all_end_rightly(
    line: Line, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (URIS - BROKEN, 8, 8), dtype=np.uint8)
    good: dict[str, np.ndarray] = {}
    events: list[DataUri] = []
    for number, image in enumerate(pixels):
        path = folder / f"{number}.png"
        path.write_bytes(png(image))
        events.append(DataUri(uri=path.as_uri()))
        good[events[-1].sample_id] = image
    with TinyServer({}) as server:
        ways = broken_ways(folder, server)
        bad: dict[str, str] = {}
        for number in range(BROKEN):
            uri = list(ways)[number % len(ways)]
            events.append(DataUri(uri=uri, sample_id=f"bad-{number}"))
            bad[f"bad-{number}"] = uri
        line.start("fetch-0")
        order = rng.permutation(len(events))
        send(line, [events[place] for place in order])

        ended = wait_for(
            lambda: x if sum(map(len, x := (fetched(line), letters(line)))) >= URIS else None, 90, "all end"
        )
    samples, dead = ended
    assert samples.keys() == good.keys()
    assert all((samples[name][0] == image).all() for name, image in good.items())
    assert dead.keys() == bad.keys()
    for name, uri in bad.items():
        kind, words = ways[uri]
        assert dead[name][0] == kind, dead[name]
        assert words in dead[name][1]
    counted = Counter(kind for kind, _ in dead.values())
    assert counted == Counter(ways[uri][0] for uri in bad.values())
    assert "s3cr3t" not in line.log("fetch-0") + str(dead)


def test_a_slow_uri_holds_up_neither_others_nor_their_commits_and_is_read_again_after_a_kill(
    line: Line, tmp_path: Path
) -> None:
    image = png(np.full((8, 8), 7, np.uint8))
    with TinyServer({"/slow.png": image, "/quick.png": image}, held={"/slow.png"}) as server:
        slow = DataUri(uri=f"{server.url}/slow.png")
        quick = [DataUri(uri=f"{server.url}/quick.png?n={n}") for n in range(300)]
        line.start("fetch-0")
        send(line, [slow, *quick])
        names = {event.sample_id for event in quick}
        wait_for(lambda: fetched(line).keys() >= names, 60, "all but the slow one")
        assert slow.sample_id not in fetched(line)
        line.kill("fetch-0")
        line.start("fetch-0")
        wait_for(lambda: server.asked["/slow.png"] >= 2, 60, "the slow one is asked for again")
        server.let_go()
        wait_for(lambda: slow.sample_id in fetched(line), 60, "the slow one")


def test_a_transform_that_does_not_fit_the_live_model_is_refused_before_a_record_is_read(
    line: Line, tmp_path: Path
) -> None:
    artifact = Artifact(uri="file:///nowhere/a.onnx", sha256="0" * 64, size=1)
    version = ModelVersion(
        line="main", version="v1", classes=("no", "yes"), status=VersionStatus.LIVE, encoder=artifact,
        head=artifact, inputs={"pixels": ModelInput(shape=(3, None, None), dtype="uint8")},
    )  # fmt: skip
    settings = load_settings(line.config)
    ensure_topics(settings.kafka, settings.pipeline)
    producer = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all")
    producer.send(line.topic("models"), version.encode(), key=version.key).get(30)
    producer.close()
    line.start("fetch-1")
    assert line.processes["fetch-1"].wait(60) != 0
    last = line.log("fetch-1").strip().splitlines()[-1]
    assert "transform: does not fit model v1: the model reads pixels uint8 3xanyxany" in last
    assert "the transform makes image uint8 1x8x8" in last
    assert "Traceback" not in line.log("fetch-1")
