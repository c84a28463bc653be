"""`siftstream experiment`: the command from data to tables, and its refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from siftstream.cli import app


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Class folders of 4x4 grey images: bright ones and dark ones."""
    rng = np.random.default_rng(0)
    for number in range(60):
        name = ("dark", "bright")[number % 2]
        pixels = np.clip(rng.normal((80, 150)[number % 2], 30, (4, 4)), 0, 255).astype(np.uint8)
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def said(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["experiment", *words], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_class_folders_become_tables_curves_and_a_journal(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--data", str(photos), "--mode", "head", "--strategies", "margin", "--out", str(out)]
    words += ["--start", "6", "--round", "6", "--labels", "12", "--seeds", "1", "--jobs", "1"]
    code, output = said(*words)
    assert code == 0, output
    assert "width: 4, height: 4, channels: 1" in output
    assert "48 samples of 2 classes to choose from, 12 to test on" in output
    assert "untrained, random encoder" in output
    assert "6 of 6: margin, seed 0, 12 labels" in output
    found = json.loads((out / "curves.json").read_text())
    assert found["strategies"]["random"]["counts"] == [6, 12, 18, 24]
    assert found["strategies"]["margin"]["counts"] == [6, 12]
    assert said(*words)[0] == 0
    assert json.loads((out / "curves.json").read_text()) == found
    assert len((out / "journal.jsonl").read_text().splitlines()) == 8  # nothing was trained twice


def test_full_mode_trains_the_encoder_too(photos: Path, tmp_path: Path) -> None:
    config = tmp_path / "siftstream.yaml"
    config.write_text(
        "classes: [bright, dark]\ntransform: {kind: image, width: 4, height: 4, channels: 1}\n"
        "retrain: {train: {full: {dim: 8, epochs: 1, min_steps: 5}}}\n"
    )
    words = ["--data", str(photos), "-c", str(config), "--test", str(photos), "--out", str(tmp_path / "out")]
    words += ["--start", "6", "--labels", "6", "--seeds", "1", "--jobs", "1", "--reach", "1"]
    code, output = said(*words, "--strategies", "k_means+margin")
    assert code == 0, output
    assert "60 samples of 2 classes to choose from, 60 to test on" in output
    assert "mode full" in output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--data", "nowhere"], "nowhere: no labelled data there"),
        (["--strategies", "margn"], "margn"),
        (["--test", "2"], "--test 2: a share between 0 and 1"),
        (["--encoder", "no.onnx", "--mode", "head"], "--encoder no.onnx: cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    photos: Path, tmp_path: Path, words: list[str], expected: str
) -> None:
    data = [] if "--data" in words else ["--data", str(photos)]
    code, output = said(*data, *words, "--out", str(tmp_path / "out"))
    assert code == 1
    assert expected in output
    assert len(output.strip().splitlines()) == 1
