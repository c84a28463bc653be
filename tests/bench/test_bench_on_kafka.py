"""The command from end to end, on a real broker of its own, with a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
COMMAND = [sys.executable, "-m", "siftstream", "bench", "--model", "cnn", "--count", "200", "--rounds", "1"]


def bench(tmp_path: Path, *more: str) -> dict[str, object]:
    """Run it; return its JSON."""
    out = tmp_path / "bench.json"
    command = [*COMMAND, "--out", str(out), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text())


def test_limits_and_line_are_measured_from_push_to_selection(tmp_path: Path) -> None:
    picture = tmp_path / "bench.png"
    told = bench(tmp_path, "--parts", "limits,line", "--picture", str(picture))
    results = {result["name"]: result for result in told["results"]}  # type: ignore[attr-defined]
    for shape in ("one URI a record", "bulk records"):
        (figures,) = results[f"siftstream, cnn, {shape}"]["rounds"]
        assert (figures["samples"], figures["selected"], figures["scored_twice"]) == (192, 48, 0)
        assert set(figures["cpu_us"]) == {"fetch", "infer", "select", "broker", "push", "bench"}
        assert figures["ratio"] == pytest.approx(figures["samples_a_second"] / figures["limit"])
        assert figures["cpu_us_sum"] == pytest.approx(sum(figures["cpu_us"].values()))
    assert results["Kafka alone"]["ratio"]["median"] > 0
    assert results["decoder alone"]["ratio"]["median"] > 0
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_a_wrong_part_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run([*COMMAND, "--parts", "speed"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().startswith("there is no part 'speed'; choose among limits, line")
