"""What one would write otherwise: each script on a few pictures; those whose packages we lack skip loudly."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from siftstream.bench.alone import DECODER, RUNS, THREADS
from siftstream.bench.child import answer, clean
from siftstream.bench.encoders import MODELS, classifier
from siftstream.bench.environments import OTHERS, Environment, commands
from siftstream.bench.failed import BenchFailed
from siftstream.bench.options import Options
from siftstream.bench.peers import PEERS
from siftstream.bench.pictures import images

NEEDS = {"loader_ort": "torch", "loader_torch": "torch", "modal": "modAL", "scikit_activeml": "skactiveml"}
ENVIRONMENTS = Options().environments
COUNT, BUDGET = 20, 5


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    images(None, COUNT, folder)
    return folder


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "classifier.onnx"
    file.write_bytes(classifier(MODELS["cnn"].make()))
    return file


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.script)
def test_a_script_chooses_its_budget_and_tells_its_speed(peer: object, pictures: Path, onnx: Path) -> None:
    from siftstream.bench.peers import Peer

    assert isinstance(peer, Peer)
    place = peer.environment.place(ENVIRONMENTS)
    if (place / ".ready").exists():
        python = str(place / "bin" / "python")
    elif importlib.util.find_spec(NEEDS.get(peer.script, "onnxruntime")):
        python = sys.executable
    else:
        pytest.skip(f"NOT SHOWN: {peer.name} has no environment yet; `siftstream bench` makes it")
    command = [python, str(OTHERS / "run.py"), peer.script, str(pictures), str(onnx), str(COUNT)]
    figures = answer([*command, str(BUDGET)], environment=clean())
    assert (figures["samples"], figures["selected"]) == (COUNT, BUDGET)
    assert figures["samples_a_second"] == pytest.approx(COUNT / figures["seconds"])
    assert 10 < figures["peak_mb"] < 4000


@pytest.mark.parametrize("kind", [RUNS, THREADS, DECODER])
def test_a_raw_limit_is_measured_in_a_process_of_its_own(kind: str, pictures: Path, tmp_path: Path) -> None:
    import json

    model = tmp_path / "m.onnx"
    model.write_bytes(MODELS["cnn"].make())
    uris = [path.as_uri() for path in sorted(pictures.glob("*.jpg"))]
    asked = tmp_path / "asked.json"
    asked.write_text(json.dumps({"onnx": str(model), "batch": 8, "count": 16, "pictures": uris}))
    figures = answer([sys.executable, "-m", "siftstream.bench.alone", kind, str(asked)])
    assert figures["samples"] == 16
    assert figures["samples_a_second"] > 0


def test_a_script_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(BenchFailed, match="exit code 1: ValueError: no such thing"):
        answer([sys.executable, "-c", "raise ValueError('no such thing')"])
    with pytest.raises(BenchFailed, match="no JSON in its last line"):
        answer([sys.executable, "-c", "print('hello')"])


def test_an_environment_has_another_place_for_other_pins(tmp_path: Path) -> None:
    assert Environment("modal.txt").place(tmp_path) != Environment("tight.txt").place(tmp_path)
    assert Environment("loader.txt", ours="json").python(tmp_path, print) == sys.executable


def test_environments_are_made_from_pins_alone(tmp_path: Path) -> None:
    made = commands(tmp_path / "e", tmp_path / "e" / "bin" / "python", OTHERS / "modal.txt")
    assert made[-1][-2:] == ["-r", str(OTHERS / "modal.txt")]
    for peer in PEERS:
        lines = peer.environment.file.read_text().split()
        assert lines
        assert all("==" in line for line in lines)
