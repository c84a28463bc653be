"""The infer stage as a user runs it: bad models, several lines, and swaps under load on the real broker."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from siftstream.agents.infer.flow import AHEAD
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.schemas import Artifact, Features, ModelVersion, Scores, Shadow, VersionStatus, share_of
from siftstream.settings import load_settings
from siftstream.streams.partition import partition_of
from siftstream.streams.topics import ensure_topics
from tests.agents.infer.graphs import DIM, POISON, encoder
from tests.line.workers import Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

CLASSES = ("no", "yes")
PARTITIONS, RUNS = 2, 2


class Pipeline:
    """An infer worker's surroundings: a topic to write features to, versions to publish, what came of it."""

    def __init__(self, line: Line, folder: Path) -> None:
        self.line, self.store = line, ArtifactStore.open(str(folder))
        settings = load_settings(line.config)
        ensure_topics(settings.kafka, settings.pipeline)
        self.producer: Any = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all", linger_ms=5)
        self.sent: dict[str, int] = {}  # first pixel by sample

    def send(self, pixels: Sequence[int], name: str, **kinds: Any) -> list[str]:
        """Write samples with these first pixels, on their partitions, in micro-batches of up to 16."""
        ids = [f"{name}-{number}" for number in range(len(pixels))]
        self.sent |= dict(zip(ids, pixels, strict=True))
        for partition in range(PARTITIONS):
            mine = [n for n, sample in enumerate(ids) if partition_of(sample, PARTITIONS) == partition]
            for start in range(0, len(mine), 16):
                rows = mine[start : start + 16]
                names = [ids[row] for row in rows]
                images = np.zeros((len(rows), kinds.get("channels", 1), 8, 8), kinds.get("dtype", np.uint8))
                images[:, 0, 0, 0] = [pixels[row] for row in rows]
                batch = Features(
                    names, names, np.zeros(len(rows)), [{}] * len(rows), {"image": images},
                    [bytes(32)] * len(rows),
                )  # fmt: skip
                self.producer.send(self.line.topic("features"), batch.encode(), partition=partition)
        self.producer.flush()
        return ids

    def version(self, name: str, onnx: bytes, line: str = "main", **more: Any) -> ModelVersion:
        rng = np.random.default_rng(sum(map(ord, name)))
        head = Head(rng.normal(size=(1, DIM, 2)).astype(np.float32), np.zeros((1, 2), np.float32))
        facts: dict[str, Any] = {
            "encoder": self.store.put(onnx, ".onnx"), "head": self.store.put(head.to_bytes(), ".safetensors"),
        }  # fmt: skip
        return ModelVersion(
            line=line, version=name, status=VersionStatus.LIVE, **({"classes": CLASSES} | facts | more)
        )

    def publish(self, version: ModelVersion) -> None:
        self.producer.send(self.line.topic("models"), version.encode(), key=version.key).get(30)

    def said(self, words: str, log: str = "infer-0") -> str:
        """Wait until the worker's log has these words; return the line."""
        return wait_for(
            lambda: next((line for line in self.line.log(log).splitlines() if words in line), ""), 60, words
        )

    def scored(self, kind: type[Scores] = Scores) -> dict[str, tuple[str, str]]:
        """Line and version by sample; one scored twice fails."""
        found: dict[str, tuple[str, str]] = {}
        for record in self.line.records(kind.topic):
            batch = kind.decode(record.value)
            for name in batch.sample_ids:
                assert name not in found, f"{name} twice"
                assert record.partition == partition_of(name, PARTITIONS)
                found[name] = (batch.line, batch.model_version)
        return found

    def refused(self) -> dict[str, str]:
        """The reason by sample of dead letters."""
        found: dict[str, str] = {}
        for record in self.line.records("dead-letters"):
            message = dict(record.headers)["siftstream.error.message"].decode()
            for name in Features.decode(record.value).sample_ids:
                assert name not in found, f"{name} twice"
                found[name] = message
        return found

    def all_done(self) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
        """Wait until each sample that was sent is scored or refused, and none is both."""

        def done() -> Any:
            found = self.scored(), self.refused()
            return found if len(found[0]) + len(found[1]) >= len(self.sent) else None

        scored, refused = wait_for(done, 60, "every sample is scored or refused")
        assert sorted([*scored, *refused]) == sorted(self.sent)
        return scored, refused


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def pipeline(
    broker: str, topic_prefix: str, tmp_path: Path, lines: list[dict[str, Any]]
) -> Iterator[Pipeline]:
    config: dict[str, Any] = {
        "pipeline": {"name": topic_prefix, "partitions": PARTITIONS},
        "kafka": {"bootstrap_servers": broker},
        "classes": list(CLASSES),
        "transform": {"height": 8, "width": 8, "channels": 1},
        "model": {"artifacts": str(tmp_path / "artifacts")},
        "infer": {"lines": lines, "runs": RUNS},
        "state": str(tmp_path / "state"),
    }
    for line in closing(Line(tmp_path, config)):
        made = Pipeline(line, tmp_path / "artifacts")
        try:
            yield made
        finally:
            made.producer.close()


def bad_versions(pipeline: Pipeline) -> dict[str, tuple[ModelVersion, str]]:
    """Versions that cannot run, each with the words of its refusal."""
    good, missing = pipeline.version("x", encoder(9)), encoder(77)
    gone = Artifact(uri=f"file:///nowhere/{'0' * 64}.onnx", sha256="0" * 64, size=1)
    changed = pipeline.store.put(missing, ".onnx")
    Path(changed.uri.removeprefix("file://")).write_bytes(b"something else")
    head = Head(np.zeros((1, DIM + 1, 2), np.float32), np.zeros((1, 2), np.float32)).to_bytes()
    three = Head(np.zeros((1, DIM, 3), np.float32), np.zeros((1, 3), np.float32)).to_bytes()
    put = pipeline.store.put
    ways: dict[str, tuple[dict[str, Any], str]] = {
        "of-colours": ({"encoder": put(encoder(channels=3), ".onnx")}, "the model reads pixels uint8 3x8x8"),
        "gone": ({"encoder": gone}, "no such file"),
        "changed": ({"encoder": changed}, "the file was changed or cut short"),
        "no-onnx": ({"encoder": put(b"no graph", ".onnx")}, "that are no ONNX model"),
        "no-head": ({"head": put(b"no head", ".safetensors")}, "not a safetensors file"),
        "two-outputs": ({"encoder": put(encoder(outputs=("a", "b")), ".onnx")}, "name one of them"),
        "one-row": ({"encoder": put(encoder(one_row=True), ".onnx")}, "runs one sample but not 128 at once"),
        "other-classes": ({"classes": ("cat", "dog")}, "was trained for the classes cat, dog"),
        "more-classes": ({"head": put(three, ".safetensors")}, "the head knows 3 classes"),
        "other-head": ({"head": put(head, ".safetensors")}, f"reads embeddings of {DIM + 1}"),
    }
    return {
        name: (good.model_copy(update={"version": name, **update}), words)
        for name, (update, words) in ways.items()
    }


def test_a_bad_version_is_refused_with_its_reason_and_bad_samples_are_dead_letters_with_theirs(
    pipeline: Pipeline,
) -> None:
    pipeline.publish(pipeline.version("good", encoder(1, poison=True)))
    pipeline.line.start("infer-0")
    pipeline.said("infer runs model good")
    poisoned = pipeline.send([POISON if n % 7 == 0 else n % 200 for n in range(300)], "first")
    wrong_type = pipeline.send([1] * 20, "floats", dtype=np.float32)
    wrong_shape = pipeline.send([1] * 20, "colours", channels=3)
    for name, (version, words) in bad_versions(pipeline).items():
        pipeline.publish(version)
        assert words in pipeline.said(f"model {name} is refused, good stays")
    pipeline.send([1] * 50, "second")
    scored, refused = pipeline.all_done()
    assert set(scored.values()) == {("main", "good")}
    expected = {name for name in poisoned if pipeline.sent[name] == POISON}
    assert set(refused) == expected | {*wrong_type, *wrong_shape}
    assert all("not finite" in refused[name] for name in expected)
    assert all("inputs of type float32, uint8 expected" in refused[name] for name in wrong_type)
    assert all("inputs of shape [3, 8, 8] a sample, [1, 8, 8] expected" in refused[n] for n in wrong_shape)


def test_a_live_version_that_fails_on_everything_costs_no_sample_and_is_withdrawn(pipeline: Pipeline) -> None:
    pipeline.publish(pipeline.version("good", encoder(1)))
    pipeline.line.start("infer-0")
    pipeline.said("infer runs model good")
    pipeline.publish(pipeline.version("broken", encoder(2, broken=True)))
    pipeline.said("infer runs model broken")
    pipeline.send([n % 200 for n in range(2_000)], "any")
    scored, refused = pipeline.all_done()
    assert "good can, so it runs again" in pipeline.said("model broken could judge none of")
    assert len(refused) < 100  # of the small batches before it was blamed
    assert set(scored.values()) == {("main", "good")}
    pipeline.publish(pipeline.version("next", encoder(3)))
    pipeline.said("infer runs model next")
    names = pipeline.send([1] * 50, "more")
    scored, _ = pipeline.all_done()
    assert {scored[name] for name in names} == {("main", "next")}


@pytest.mark.parametrize(
    "lines",
    [
        [
            {"line": "challenger", "mode": "canary", "share": 0.3},
            {"line": "listener", "mode": "shadow", "share": 0.5},
        ]
    ],
)
def test_a_canary_scores_its_share_and_a_shadow_is_only_recorded(pipeline: Pipeline) -> None:
    pipeline.publish(pipeline.version("m1", encoder(1)))
    pipeline.publish(pipeline.version("l1", encoder(1), "listener"))
    pipeline.line.start("infer-0")
    pipeline.said("infer runs model l1")
    before = pipeline.send([1] * 200, "before")
    scored, _ = pipeline.all_done()
    heard_all(pipeline)
    assert {scored[name] for name in before} == {("main", "m1")}  # the canary has no version yet
    pipeline.said("canary challenger has no live version yet")
    pipeline.publish(pipeline.version("c1", encoder(3), "challenger"))
    pipeline.said("infer runs model c1")
    after: list[str] = []
    for part in range(3):  # a shadow passes over what comes faster than it can listen
        after += pipeline.send([n % 200 for n in range(200)], f"after-{part}")
        heard_all(pipeline)
    scored, refused = pipeline.all_done()
    assert not refused
    for name in after:
        challenged = share_of(name, "challenger") < 0.3
        assert scored[name] == (("challenger", "c1") if challenged else ("main", "m1"))
    assert set(pipeline.scored(Shadow).values()) == {("listener", "l1")}


def heard_all(pipeline: Pipeline) -> None:
    """Wait until the shadow has recorded its share of all that was sent, and nothing else."""
    heard = {name for name in pipeline.sent if share_of(name, "listener") < 0.5}
    wait_for(lambda: pipeline.scored(Shadow).keys() == heard, 30, "the shadow")


class Watcher:
    """Reads `scores` as they come: the version of each record by partition, and when it was made."""

    def __init__(self, line: Line) -> None:
        self._consumer: Any = KafkaConsumer(bootstrap_servers=line.bootstrap, enable_auto_commit=False)
        places = [TopicPartition(line.topic("scores"), partition) for partition in range(PARTITIONS)]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self.versions: dict[int, list[tuple[str, int]]] = {partition: [] for partition in range(PARTITIONS)}
        self.times: list[tuple[float, str]] = []
        self.samples: Counter[str] = Counter()

    def look(self) -> None:
        for records in self._consumer.poll(timeout_ms=20, max_records=1000).values():
            for record in records:
                batch = Scores.decode(record.value)
                self.versions[record.partition].append((batch.model_version, len(batch)))
                self.times.append((record.timestamp / 1000, batch.model_version))
                self.samples.update(batch.sample_ids)

    def close(self) -> None:
        self._consumer.close()


def test_five_swaps_under_load_lose_nothing_repeat_nothing_and_come_in_order(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.publish(pipeline.version("v0", encoder(0)))
    pipeline.line.start("infer-0")
    pipeline.said("infer runs model v0")
    watcher, published, round_of = Watcher(pipeline.line), 0, 0
    deadline = time.monotonic() + 90
    since = 0  # samples scored when the last version was published
    while time.monotonic() < deadline:
        if len(pipeline.sent) - watcher.samples.total() < 2_000:
            pipeline.send([round_of % 200] * 500, f"round-{round_of}")
            round_of += 1
        watcher.look()
        seen = {version for _, version in watcher.times}
        if f"v{published}" in seen and watcher.samples.total() - since > 2_000:
            if published == 5:
                break
            published, since = published + 1, watcher.samples.total()
            pipeline.publish(pipeline.version(f"v{published}", encoder(published)))
    while watcher.samples.keys() != pipeline.sent.keys() and time.monotonic() < deadline:
        watcher.look()
    watcher.close()
    assert watcher.samples.keys() == pipeline.sent.keys()
    assert set(watcher.samples.values()) == {1}
    assert not pipeline.refused()
    for records in watcher.versions.values():
        assert_in_order(records)
    longest = longest_gap(watcher.times)
    with capsys.disabled():
        print(f"\n{len(pipeline.sent)} samples, 5 swaps, longest gap beside one {1000 * longest:.0f} ms")
    assert longest < 10


def assert_in_order(records: list[tuple[str, int]]) -> None:
    """A version follows the one before it; of the one before no more comes than was under way."""
    newest, late = 0, 0
    for version, samples in records:
        number = int(version[1:])
        assert number in (newest - 1, newest, newest + 1)
        if number > newest:
            newest, late = number, 0
        elif number < newest:
            late += samples
            assert late <= AHEAD * RUNS * 128 + 16  # what the line holds at most
    assert newest == 5


def longest_gap(times: list[tuple[float, str]]) -> float:
    """Return the longest time between two records around a swap, in seconds."""
    ordered = sorted(times)
    swaps = [
        min(at for at, version in ordered if version == name) for name in {version for _, version in ordered}
    ]
    return max(
        later - earlier
        for (earlier, _), (later, _) in pairwise(ordered)
        if any(abs(earlier - swap) < 0.5 for swap in swaps)
    )
