"""Must show: a rollback takes effect in every infer and select worker within seconds, and after a restart."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.cli.versions import live_in, publish, versions_of, write_record
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.spare import spare_encoder
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.schemas.arrays import ArraySpec
from siftstream.settings import load_settings
from tests.line.workers import Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

CLASSES = ("dark", "light")
WORKERS = {
    "infer-0": "infer runs model {}",
    "infer-1": "infer runs model {}",
    "select-0": "select has the head of {}",
}
WITHIN_S = 5.0


@pytest.fixture
def line(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Line]:
    config = {
        "pipeline": {"name": topic_prefix, "partitions": 2},
        "kafka": {"bootstrap_servers": broker},
        "classes": list(CLASSES),
        "transform": {"height": 8, "width": 8, "channels": 1},
        "model": {"artifacts": str(tmp_path / "artifacts"), "providers": ["cpu"]},
        "state": str(tmp_path / "state"),
    }
    yield from closing(Line(tmp_path, config))


def made(line: Line, name: str, **more: Any) -> ModelVersion:
    """Return a live version with a head of its own, as a trainer would make it."""
    settings = load_settings(line.config)
    store = ArtifactStore.open(settings.model.artifacts)
    specs = {"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}
    onnx = spare_encoder(specs, settings.model.seed, settings.model.dim)
    rng = np.random.default_rng(sum(map(ord, name)))
    weights = rng.normal(size=(1, settings.model.dim, 2)).astype(np.float32)
    head = Head(weights, np.zeros((1, 2), np.float32))
    return ModelVersion(
        line="main", version=name, classes=CLASSES, status=VersionStatus.LIVE,
        encoder=store.put(onnx, ".onnx"), head=store.put(head.to_bytes(), ".safetensors"), **more,
    )  # fmt: skip


def heard(line: Line, version: str, times: int, began: float) -> dict[str, float]:
    """Wait until every worker's log says for the n-th time that it has a version; seconds by worker."""
    took: dict[str, float] = {}

    def look() -> bool:
        for name, words in WORKERS.items():
            if name not in took and line.log(name).count(words.format(version)) >= times:
                took[name] = time.monotonic() - began
        return len(took) == len(WORKERS)

    wait_for(look, 60, f"{version} in every worker")
    return took


def test_a_rollback_reaches_every_worker_and_outlives_a_late_trainer_and_a_restart(line: Line) -> None:
    settings = load_settings(line.config)
    publish(settings, made(line, "v1"))
    publish(settings, made(line, "v2"))
    for name in WORKERS:
        line.start(name)
    heard(line, "v2", 1, time.monotonic())

    began = time.monotonic()
    told = CliRunner().invoke(app, ["models", "rollback", "--hold", "-c", str(line.config)])
    assert told.exit_code == 0, told.output
    assert "v1 is live instead of v2" in told.stdout
    took = heard(line, "v1", 1, began)
    print({name: f"{seconds:.2f} s" for name, seconds in took.items()}, "from the command's start")
    assert max(took.values()) < WITHIN_S

    write_record(settings, made(line, "v3", replaced="v2"))  # of a trainer that had not heard of the hold
    for name in WORKERS:
        line.kill(name, signal.SIGTERM)
    before = {name: len(line.log(name)) for name in WORKERS}
    for name in WORKERS:
        line.start(name)
    heard(line, "v1", 2, time.monotonic())
    live = live_in(versions_of(settings))
    assert live is not None
    assert (live.version, live.held) == ("v1", True)
    for name in WORKERS:
        assert "v3" not in line.log(name)
        assert WORKERS[name].format("v2") not in line.log(name)[before[name] :]
