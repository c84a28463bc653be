"""The commands on a real broker: push, tail, topics, status, workers, `up`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.cli.supervisor import Happening, Process, Supervisor
from siftstream.settings import load_settings
from siftstream.streams.status import StatusReader
from siftstream.streams.topics import TOPICS
from tests.cli.deadline import eventually, eventually_in_loop

pytestmark = pytest.mark.kafka
NO_STAGES = "fetch=0,infer=0,select=0,consensus=0,retrain=0"


@pytest.fixture
def pipeline(broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A pipeline of its own on the shared broker, and a folder of its own; its name."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.delenv("SIFTSTREAM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return topic_prefix


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for shade in range(20):
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(folder / f"{shade:02d}.png")
    return folder


@pytest.fixture
def started() -> Iterator[list[psutil.Process]]:
    """What a test starts and all that came of it; killed at the end if it is still there."""
    processes: list[psutil.Process] = []
    yield processes
    for process in processes:
        if process.is_running():
            process.kill()


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.stdout


def siftstream(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "siftstream", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def closed(process: subprocess.Popen[str]) -> str:
    """Read what it said, and let go of it."""
    said, _ = process.communicate(timeout=20)
    return said


def test_what_was_pushed_can_be_tailed(pipeline: str, images: Path) -> None:
    assert "20 of 20 URIs are in" in run("push", str(images), "--metadata", "camera=3")
    lines = run("tail", "data-uris", "--no-follow", "--from-beginning").splitlines()
    assert len(lines) == 20
    assert all(line.endswith(".png  camera=3") for line in lines)
    assert len(run("tail", "data-uris", "--no-follow", "-n", "3").splitlines()) == 3
    assert len(run("tail", f"{pipeline}.data-uris", "--from-beginning", "-n", "5").splitlines()) == 5


def test_a_rate_is_kept(pipeline: str, images: Path) -> None:
    run("topics", "create")
    began = time.monotonic()
    run("push", str(images), "--rate", "20")
    assert time.monotonic() - began > 19 / 20


def test_topics_are_listed_created_and_compared(pipeline: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("topics").count("not there") == len(TOPICS)
    listed = run("topics", "create")
    assert "not there" not in listed
    assert "differs" not in listed
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__PARTITIONS", "8")
    assert f"differs: {pipeline}.scores has 4 partitions, pipeline.partitions asks for 8" in run("topics")


def test_status_before_anything_has_run(pipeline: str) -> None:
    shown = run("status")
    assert "no stage has run yet" in shown
    assert "0 selected, 0 labelled, no trained model yet, 0 dead letters" in shown


async def test_status_sees_lag_and_the_supervisor_brings_a_killed_stage_back(
    pipeline: str, images: Path
) -> None:
    settings, events = load_settings(), list[Happening]()
    run("push", str(images))
    with StatusReader(settings.kafka, settings.pipeline) as reader:
        async with Supervisor(settings, [Process.worker("fetch", 0)], events.append) as supervisor:

            def lag() -> int | None:
                fetch = reader.read().group("fetch")
                return fetch.lag if fetch is not None and fetch.members else None

            def pid() -> int | None:
                return supervisor.status()[0].pid

            await eventually_in_loop(lambda: lag() == 0, 40, "fetch has read all")
            assert reader.read().records["features"] > 0
            first = pid()
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await eventually_in_loop(lambda: pid() not in (None, first), 20, "fetch is back")
            run("push", str(images), "--metadata", "again=1")
            await eventually_in_loop(lambda: lag() == 0, 40, "fetch has read the rest")
        waiting = run("push", str(images), "--restart", "--together", "1")
        status = reader.read()
    assert "20 of 20" in waiting
    assert status.groups[0].lag == 20
    assert 0 < status.groups[0].lag_seconds < 60
    assert [event.kind for event in events] == ["started", "ended", "started"]
    assert "ended by SIGKILL" in events[1].words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_stops_in_order_within_ten_seconds(number: signal.Signals, pipeline: str) -> None:
    worker = siftstream("worker", "consensus", "--with-parent")
    assert worker.stdout is not None
    for line in worker.stdout:
        if "consensus runs on" in line:
            break
    began = time.monotonic()
    worker.send_signal(number)
    said = closed(worker)
    assert time.monotonic() - began < 10
    assert worker.returncode == 0, said
    assert said.splitlines()[-1].endswith("INFO stopped")


def test_a_worker_without_its_parent_ends(pipeline: str) -> None:
    worker = siftstream("worker", "consensus", "--with-parent")
    assert worker.stdin is not None
    worker.stdin.close()
    worker.stdin = None
    closed(worker)
    assert worker.returncode in (0, -signal.SIGTERM)


def test_up_killed_leaves_no_child(pipeline: str, started: list[psutil.Process]) -> None:
    running = siftstream("up", "--replicas", "infer=0,retrain=0,select=0")
    eventually(lambda: len(family(running)) >= 3, 40, "two stages run")
    started += family(running)
    running.kill()
    eventually(lambda: gone(started), 15, "all have ended")
    closed(running)


def test_up_with_its_own_broker_is_found_by_others_and_stops_within_ten_seconds(
    pipeline: str, images: Path, monkeypatch: pytest.MonkeyPatch, started: list[psutil.Process]
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS")
    running = siftstream("up", "--replicas", "infer=0,select=0,consensus=0,retrain=0")
    eventually(Path(".siftstream/bootstrap").exists, 60, "the broker is announced")
    try:
        assert "20 of 20 URIs" in run("push", str(images))
        lines = run("tail", "features", "--from-beginning", "-n", "20").splitlines()
        assert {line.split("/")[-1] for line in lines} == {f"{shade:02d}.png" for shade in range(20)}
        second = CliRunner().invoke(app, ["up"])
        assert second.exit_code == 1
        assert "runs already on 127.0.0.1:" in second.stderr
        started += family(running)
    finally:
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        said = closed(running)
    assert time.monotonic() - began < 10
    assert running.returncode == 0, said
    assert "siftstream push FOLDER" in said
    assert "fetch-0 started" in said
    assert gone(started)
    assert not Path(".siftstream/bootstrap").exists()


def test_up_ends_with_the_reason_when_a_process_cannot_run(pipeline: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("oracle: {truth: nowhere.csv}")
    running = siftstream("up", "-c", "bad.yaml", "--oracle", "--replicas", NO_STAGES)
    said = running.communicate(timeout=100)[0]
    assert running.returncode == 1
    assert "starts again in 4 s" in said
    assert "oracle ended 5 times within a minute" in said.splitlines()[-1]
    assert "oracle.truth: nowhere.csv cannot be read" in said.splitlines()[-1]
