"""`siftstream models`: what is live, why, what it was made of, what stays; on a real topic."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from siftstream.agents.retrain.origin import lineage_of
from siftstream.agents.retrain.pool import Pool
from siftstream.cli import app
from siftstream.cli.models.differing import differences
from siftstream.cli.models.listing import accuracy, standing
from siftstream.cli.models.showing import parents
from siftstream.cli.samples import samples_of
from siftstream.cli.versions import live_in, publish, say_again, versions_of, write_record
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.judging.crossing import folds_of
from siftstream.models.lineage import SUFFIX, Lineage
from siftstream.models.spare import spare_encoder
from siftstream.models.training import HEAD, Job, train
from siftstream.models.training.settings import LimitSettings, TrainSettings
from siftstream.schemas import Figure, Judgement, ModelVersion, Slice, TrainingLabel, VersionStatus
from siftstream.schemas.arrays import ArraySpec
from siftstream.settings import Settings, load_settings
from siftstream.streams.record import Record
from siftstream.streams.topics import ensure_topics

CLASSES = ("dark", "light")
CONFIG = """
classes: [dark, light]
transform: {kind: image, height: 8, width: 8, channels: 1}
model: {providers: [cpu], dim: 8}
retrain: {keep: {versions: 1, days: 0.5}}
"""
FIGURE = Figure(name="accuracy", count=50, value=0.9, interval=(0.82, 0.95), live=0.88, gap=(-0.02, 0.06))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "SIFTSTREAM_CONFIG", "SIFTSTREAM_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "siftstream.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def settings(broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.setenv("COLUMNS", "300")
    return load_settings(None)


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["models", *words])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def encoder_of(settings: Settings) -> bytes:
    return spare_encoder({"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}, 0, settings.model.dim)


def made(settings: Settings, name: str, status: str = "live", **more: Any) -> ModelVersion:
    """A version with a head and a lineage of its own."""
    store, rng = ArtifactStore.open(settings.model.artifacts), np.random.default_rng(sum(map(ord, name)))
    head = Head(rng.normal(size=(1, settings.model.dim, 2)).astype(np.float32), np.zeros((1, 2), np.float32))
    lineage = Lineage(
        line="main", version=name, classes=CLASSES,
        settings=TrainSettings(seed=len(name)).model_dump(mode="json"),
        code={"torch": "2"}, trained_at=0.0, ids=("a", name), targets=(0, 1), slices=(0, 1), offsets=(0, 1),
        partitions=(0, 0), weights=(1.0, 1.0),
    )  # fmt: skip
    return ModelVersion(
        line="main", version=name, classes=CLASSES, status=VersionStatus(status),
        encoder=store.put(encoder_of(settings), ".onnx"), head=store.put(head.to_bytes(), ".safetensors"),
        lineage=store.put(lineage.to_bytes(), SUFFIX), **more,
    )  # fmt: skip


def live(settings: Settings) -> str:
    found = live_in(versions_of(settings))
    return found.version if found else ""


def test_a_version_is_told_by_what_it_is_now() -> None:
    version = ModelVersion(line="main", version="v", classes=CLASSES, status=VersionStatus.FAILED)
    assert standing(version, None) == "failed"
    assert accuracy(version.model_copy(update={"metrics": {"accuracy": 0.5}})) == ("0.500", "-")
    judged = version.model_copy(update={"judgement": Judgement(judged=50, figures=(FIGURE,))})
    assert accuracy(judged) == ("0.900", "0.820..0.950")
    was_live = version.model_copy(update={"status": VersionStatus.LIVE, "held": True, "pinned": True})
    assert (standing(was_live, was_live), standing(was_live, None)) == (
        "live, held, pinned",
        "retired, pinned",
    )


def test_parents_are_followed_without_going_in_circles() -> None:
    a, b, c = (
        ModelVersion(line="main", version=n, classes=CLASSES, status=VersionStatus.FAILED, parent=p)
        for n, p in (("a", "c"), ("b", "a"), ("c", "b"))
    )
    assert parents(b, {"a": a, "b": b, "c": c}) == ["a", "c"]
    assert parents(b, {"b": b}) == ["a"]


def test_what_has_no_lineage_differs_in_figures_alone() -> None:
    a, b = (
        ModelVersion(line="main", version=n, classes=CLASSES, status=VersionStatus.FAILED, trained_on=k)
        for n, k in (("a", 3), ("b", 5))
    )
    found = differences(a, b.model_copy(update={"judgement": Judgement(figures=(FIGURE,))}), None, None)
    assert found["figures"]["labels"]["values"] == [3, 5]
    assert found["figures"]["accuracy (all)"]["values"] == [None, 0.9]
    assert found["labels"] is None


@pytest.mark.kafka
def test_versions_are_listed_shown_and_compared(settings: Settings) -> None:
    publish(settings, made(settings, "v1"))
    second = made(
        settings, "second", parent="v1", mode="head", trained_on=1, reason="Better.",
        judgement=Judgement(against="v1", judged=50, figures=(FIGURE,)),
    )  # fmt: skip
    publish(settings, second)
    listed = {row.split()[0]: row for row in run("list").splitlines()}
    assert "retired" in listed["v1"]
    for words in ("live", "head", "0.900", "0.820..0.950", " s ", "v1", "Better."):
        assert words in listed["second"]
    assert [v["version"] for v in json.loads(run("list", "--json"))] == ["v1", "second"]
    shown = run("show", "live")
    for words in (
        "second of line main: live. Better.", "parents: second <- v1", "judged on 50 samples against v1",
        "-0.020..0.060", "settings: seed=6", "code: torch 2", "began with: nothing",
    ):  # fmt: skip
        assert words in shown
    told = json.loads(run("show", "second", "--json"))
    assert told["lineage"]["labels"] == {"dark": {"train": 1}, "light": {"holdout": 1}}
    assert (told["standing"], told["parents"]) == ("live", ["v1"])
    compared = run("diff", "v1", "second")
    for words in ("labels added: 1 (second)", "labels removed: 1 (v1)", "labels changed: 0", "seed 2 -> 6"):
        assert words in compared
    assert json.loads(run("diff", "v1", "second", "--json"))["settings"] == {"seed": [2, 6]}
    assert "there is no version 'v3'" in run("show", "v3", code=1)


@pytest.mark.kafka
def test_a_rollback_holds_until_it_is_released_and_pins_put_nothing_live(settings: Settings) -> None:
    assert "nothing is live" in run("rollback", code=1)
    publish(settings, made(settings, "v1"))
    assert "nothing was live before v1" in run("rollback", code=1)
    publish(settings, made(settings, "v2"))
    assert "v1 is live instead of v2" in run("rollback")
    assert "v2 is live instead of v1" in run("rollback")  # to what was live before, once more
    assert "it is held" in run("rollback", "--to", "v1", "--hold")
    write_record(settings, made(settings, "v3", replaced="v2"))  # a trainer that had not heard of it
    assert live(settings) == "v1"
    assert "v2 is pinned" in run("pin", "v2")
    assert (live(settings), versions_of(settings)["v2"].status) == ("v1", "retired")
    assert "v1 is held no longer" in run("release")
    assert "nothing is held" in run("release")
    assert live(settings) == "v1"
    assert not versions_of(settings)["v1"].held
    write_record(settings, made(settings, "v4", replaced="v1"))
    assert live(settings) == "v4"
    run("pin", "v4")
    assert "v2 is live" in run("promote", "v2")
    assert (live(settings), versions_of(settings)["v2"].replaced) == ("v2", "v4")
    assert versions_of(settings)["v2"].pinned


@pytest.mark.kafka
def test_a_pin_that_comes_late_does_not_undo_what_went_live_meanwhile(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, made(settings, "v1"))
    first, newer = versions_of(settings)["v1"], made(settings, "v2", replaced="v1")

    def late(_: Settings, version: ModelVersion) -> None:
        monkeypatch.undo()
        write_record(settings, newer)
        write_record(settings, version)

    monkeypatch.setattr("siftstream.cli.versions.write_record", late)
    say_again(settings, first.model_copy(update={"pinned": True}))
    assert live(settings) == "v2"


@pytest.mark.kafka
def test_what_does_not_load_goes_not_live(settings: Settings, folder: Path) -> None:
    publish(settings, made(settings, "v1"))
    publish(settings, made(settings, "v2", "candidate"))
    version = versions_of(settings)["v2"]
    assert version.head is not None
    (folder / "artifacts" / f"{version.head.sha256}.safetensors").write_bytes(b"short")
    assert "the file was changed or cut short" in run("promote", "v2", code=1)
    assert "the file was changed or cut short" in run("rollback", "--to", "v2", code=1)
    assert live(settings) == "v1"


@pytest.mark.kafka
def test_pruning_deletes_what_the_rule_lets_go_and_nothing_that_is_pinned(
    settings: Settings, folder: Path
) -> None:
    for name in ("v1", "v2", "v3", "v4", "v5"):
        publish(settings, made(settings, name, created_at=float(name[1:]), parent="v1"))
    for path in (folder / "artifacts").iterdir():
        if path.is_file():
            os.utime(path, (100.0, 100.0))
    run("pin", "v2")
    before = len(list((folder / "artifacts").iterdir()))
    assert "1 versions (v3) and 2 files" in run("prune", "--dry-run")
    assert len(list((folder / "artifacts").iterdir())) == before
    assert "1 versions (v3) and 2 files" in run("prune")
    assert len(list((folder / "artifacts").iterdir())) == before - 2
    assert live(settings) == "v5"
    assert "retired, collected" in run("list")
    assert "its files were deleted by the retention rule" in run("promote", "v3", code=1)
    assert "are deleted already" in run("pin", "v3", code=1)
    for name in ("v2", "v4", "v1"):
        run("promote", name)
    assert "0 versions and 0 files" in run("prune")


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_a_version_is_made_again_from_its_lineage(settings: Settings, folder: Path) -> None:
    labels = tell_labels(settings, folder)
    pool = Pool(CLASSES, settings.pipeline.partitions)
    for number, label in enumerate(labels):
        pool.fold(Record("labelled", 0, number, None, label.encode()))
    frozen, snapshot = encoder_of(settings), asyncio.run(pool.frozen().snapshot())
    read, inputs = asyncio.run(samples_of(settings).of(snapshot.uris))
    assert read.all()
    how = TrainSettings(mode="head", limits=LimitSettings(prewarm=False))
    job = Job(
        inputs, snapshot.classes_N, snapshot.weights_N, snapshot.slices_N, CLASSES, how, frozen,
        folds=folds_of(snapshot.ids),
    )  # fmt: skip
    job.write(folder / "job")
    asyncio.run(train(folder / "job", how.limits))
    store = ArtifactStore.open(settings.model.artifacts)
    lineage = lineage_of("main", "v1", time.time(), snapshot, job, None)
    version = made(settings, "v1").model_copy(
        update={
            "head": store.put((folder / "job" / HEAD).read_bytes(), ".safetensors"),
            "lineage": store.put(lineage.to_bytes(), SUFFIX),
        }
    )
    publish(settings, version)
    assert "v1 was made again from 40 labels: the same bytes" in run("reproduce", "v1", "--exact")

    changed = labels[3].model_copy(update={"label": None})
    produce(settings, [changed])  # retracted since: its own label is learned again
    (folder / "images" / "0.png").unlink()
    shutil.rmtree(folder / ".siftstream")  # what was kept of the samples
    told = json.loads(run("reproduce", "v1", "--json"))
    assert (told["changed"], told["missing"], told["labels"]) == ([changed.sample_id], ["s00"], 39)


def tell_labels(settings: Settings, folder: Path) -> list[TrainingLabel]:
    """Write 40 pictures and their labels to the log."""
    (folder / "images").mkdir()
    rng, labels = np.random.default_rng(0), list[TrainingLabel]()
    for number in range(40):
        path = folder / "images" / f"{number}.png"
        shade = rng.integers(0, 90, (8, 8)) + 160 * (number % 2)
        Image.fromarray(shade.astype(np.uint8)).save(path)
        where = Slice.HOLDOUT if number % 5 == 0 else Slice.TRAIN
        labels.append(
            TrainingLabel(
                sample_id=f"s{number:02}", uri=path.as_uri(), label=CLASSES[number % 2], slice=where
            )
        )
    produce(settings, labels)
    return labels


def produce(settings: Settings, labels: list[TrainingLabel]) -> None:
    from kafka import KafkaProducer

    ensure_topics(settings.kafka, settings.pipeline)
    producer: Any = KafkaProducer(acks="all", **settings.kafka.client_options())
    for label in labels:
        producer.send(settings.pipeline.topic("labelled"), label.encode(), key=label.key, partition=0)
    producer.flush()
    producer.close()
