"""The whole demo, as a newcomer runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("torch")


def left_of(out: Path) -> list[str]:
    """Command lines of processes that still name the demo's folder, or were given its configuration."""
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            words = " ".join([*process.cmdline(), process.environ().get("SIFTSTREAM_CONFIG", "")])
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if str(out) in words:
            found.append(words)
    return found


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_the_demo_ends_by_itself_with_a_better_model_a_report_and_nothing_left(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "siftstream", "demo", "--fast", "--out", str(out)]
    # Another pipeline's settings in the environment are none of the demo's business.
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    last = ended.stdout.strip().splitlines()[-2:]
    assert last[0].startswith("siftstream ")
    assert last[1].startswith("Random choice ")
    result = json.loads((out / "result.json").read_text())
    assert len(result["points"]) >= 3
    assert result["labelled"] > 0
    assert last[0] in (out / "report.html").read_text()
    assert (out / "report.png").stat().st_size > 10_000
    assert left_of(out) == []
