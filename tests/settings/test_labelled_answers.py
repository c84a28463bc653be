"""Answers read off a labelled file, each with its figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from siftstream.schemas.errors import ConfigError
from siftstream.settings.advice.labelled import Read, read_off


def csv_of(folder: Path, text: str, name: str = "seen.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def with_probabilities(folder: Path, rows: int, sharper: float) -> Path:
    """Samples whose labels follow probabilities that are then made `sharper`, as an overconfident model's."""
    rng = np.random.default_rng(0)
    honest = rng.dirichlet([1.0, 1.0], rows)
    labels = np.where(rng.random(rows) < honest[:, 0], "cat", "dog")
    said = honest**sharper / (honest**sharper).sum(axis=1, keepdims=True)
    lines = [f"{label},{p[0]:.9f},{p[1]:.9f}" for label, p in zip(labels, said, strict=True)]
    return csv_of(folder, "\n".join(["label,p_cat,p_dog", *lines]) + "\n")


def test_labels_alone_tell_the_classes_and_how_even_they_are(tmp_path: Path) -> None:
    read = read_off(csv_of(tmp_path, "id,label\n" + "1,cat\n" * 30 + "2,dog\n" * 5 + "3,elk\n" * 10))
    assert read.answers == {"classes": 3, "uneven": True}
    assert read.figures == {"classes": "cat, dog, elk", "uneven": "30 of 45 are cat, 5 dog"}


def test_five_to_one_is_even_enough(tmp_path: Path) -> None:
    assert read_off(csv_of(tmp_path, "label\n" + "a\n" * 25 + "b\n" * 5)).answers["uneven"] is False


def test_json_lines_are_read_too_and_labels_may_be_numbers(tmp_path: Path) -> None:
    lines = [json.dumps({"label": n % 4, "prediction": 0}) for n in range(40)]
    read = read_off(csv_of(tmp_path, "\n".join(lines), "seen.jsonl"))
    assert read.answers == {"classes": 4, "uneven": False, "model": True}
    assert read.figures["model"] == "10 of 40 are predicted right"


def test_a_class_that_only_the_model_knows_counts_and_is_the_rarest(tmp_path: Path) -> None:
    read = read_off(csv_of(tmp_path, "label,p_a,p_b,p_c\n" + "a,1,0,0\nb,0,1,0\n" * 3))
    assert read.answers == {"classes": 3, "uneven": True, "model": True}
    assert read.figures["uneven"] == "3 of 6 are a, 0 c"


def test_honest_probabilities_are_found_calibrated(tmp_path: Path) -> None:
    read = read_off(with_probabilities(tmp_path, 400, sharper=1.0))
    assert read.answers["calibrated"] == "yes"
    assert read.answers["model"] is True


def test_exaggerated_probabilities_are_found_out_with_the_temperature_that_mends_them(tmp_path: Path) -> None:
    read = read_off(with_probabilities(tmp_path, 2_000, sharper=3.0))
    assert read.answers["calibrated"] == "no"
    assert "in 2,000 rows" in read.figures["calibrated"]
    temperature = float(read.figures["calibrated"].split("temperature of ")[1].split()[0])
    assert temperature == pytest.approx(3.0, abs=0.4)


def test_a_hundred_honest_rows_are_not_mistaken_for_exaggerated_ones(tmp_path: Path) -> None:
    assert read_off(with_probabilities(tmp_path, 100, sharper=1.0)).answers["calibrated"] == "yes"


def test_few_rows_leave_calibration_open(tmp_path: Path) -> None:
    assert "calibrated" not in read_off(with_probabilities(tmp_path, 99, sharper=9.0)).answers


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no rows"),
        ("id,lable\n1,a\n", "no column `label`; it has id, lable"),
        ("label\na\n\"\"\n", "sample 2 has no label"),
        ("label,p_a\nb,1\n", "class 'b' has no column p_b"),
        ("label,p_a,p_b\na,0.9,0.5\n", "sample 1 must be 0 or more and sum to 1; got [0.9, 0.5]"),
        ("label,p_a,p_b\na,1.5,-0.5\n", "must be 0 or more"),
        ("label,p_a,p_b\na,nan,1\n", "must be 0 or more"),
        ("label,p_a,p_b\na,x,1\n", "missing or no number"),
        ("label,p_a,p_b\na,1\n", "missing or no number"),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=r"seen\.csv") as refused:
        read_off(csv_of(tmp_path, text))
    assert sentence in str(refused.value)


@pytest.mark.parametrize(("line", "sentence"), [("{", "line 1 is no JSON"), ("[1]", "no JSON object")])
def test_what_is_no_json_is_told_with_its_line(tmp_path: Path, line: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_off(csv_of(tmp_path, line, "seen.jsonl"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.csv: cannot be read: No such file"):
        read_off(tmp_path / "gone.csv")


def test_nothing_read_answers_nothing() -> None:
    assert Read() == Read({}, {})
