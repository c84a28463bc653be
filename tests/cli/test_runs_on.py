"""`siftstream status` says what infer runs on, and a worker that may not run on the CPU does not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.cli.supervisor import Happening, Process, Supervisor
from siftstream.models.providers import lacks
from siftstream.settings import load_settings
from siftstream.streams.status import StatusReader
from tests.cli.deadline import eventually_in_loop

pytestmark = pytest.mark.kafka


@pytest.fixture
def pipeline(broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A pipeline of its own on the shared broker, and a folder of its own; its name."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.setenv("SIFTSTREAM_MODEL__PROVIDERS", '["cpu"]')
    monkeypatch.delenv("SIFTSTREAM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return topic_prefix


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_status_says_what_infer_runs_on_once_it_has_scored(pipeline: str, tmp_path: Path) -> None:
    for shade in range(8):
        Image.new("RGB", (8, 8), (shade, shade, shade)).save(tmp_path / f"{shade}.png")
    run("push", str(tmp_path))
    settings, events = load_settings(), list[Happening]()
    stages = [Process.worker("fetch", 0), Process.worker("infer", 0)]
    with StatusReader(settings.kafka, settings.pipeline) as reader:
        async with Supervisor(settings, stages, events.append):

            def told() -> bool:
                infer = reader.read().group("infer")
                return infer is not None and bool(infer.runs_on)

            await eventually_in_loop(told, 40, "a commit of infer")
    shown = " ".join(run("status").split())
    assert "infer runs main/spare on cpu (fp32, " in shown
    assert "): the first asked for" in shown


def test_a_worker_that_requires_what_is_not_there_says_so_in_one_sentence(
    pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = lacks("cuda")
    if reason is None:
        pytest.skip("CUDA may run here")
    monkeypatch.setenv("SIFTSTREAM_MODEL__REQUIRE", "cuda")
    run("topics", "create")
    ended = subprocess.run(
        [sys.executable, "-m", "siftstream", "worker", "infer"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    said = ended.stdout + ended.stderr
    assert f"model.require: cuda does not run here (cuda {reason})" in " ".join(said.split())
    assert "Traceback" not in said
