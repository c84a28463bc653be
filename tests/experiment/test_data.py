"""What a path names as labelled data."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest

from siftstream.agents.fetch.loaders.data import decode_data_uri
from siftstream.experiment.data import Known, known_samples
from siftstream.schemas.errors import ConfigError


def test_the_folder_that_a_file_lies_in_is_its_class(tmp_path: Path) -> None:
    for name in ("train/cat/1.png", "train/my dog/2.png", "test/cat/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = known_samples(tmp_path)
    assert sorted(label for _, label in found) == ["cat", "cat", "my dog"]
    assert known_samples(tmp_path / "test") == [Known((tmp_path / "test/cat/3.png").as_uri(), "cat")]


def test_a_zip_and_a_folder_in_it_are_read_without_unpacking(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("train/cat/1.png", "test/dog/2.png", "__MACOSX/cat/1.png", "readme"):
            archive.writestr(name, b"x")
    assert [label for _, label in known_samples(tmp_path / "photos.zip")] == ["dog", "cat"]
    uri = (tmp_path / "photos.zip").as_uri()
    assert known_samples(tmp_path / "photos.zip" / "test") == [Known(f"zip://test/dog/2.png::{uri}", "dog")]


def test_a_list_names_uris_and_classes(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"x")
    (tmp_path / "list.csv").write_text("path,kind\n1.png,cat\nhttps://example.org/2.png,dog\n")
    found = known_samples(tmp_path / "list.csv", label="kind")
    assert found == [Known((tmp_path / "1.png").as_uri(), "cat"), Known("https://example.org/2.png", "dog")]


def test_a_text_column_is_the_sample_itself(tmp_path: Path) -> None:
    (tmp_path / "news.jsonl").write_text(json.dumps({"text": "rain, sun", "label": 3}) + "\n")
    assert known_samples(tmp_path / "news.jsonl") == [Known("data:;base64,cmFpbiwgc3Vu", "3")]


def test_a_row_without_its_class_is_the_sample_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("age,label\n30,yes\n")
    (known,) = known_samples(tmp_path / "rows.csv", table=True)
    assert known.label == "yes"
    assert decode_data_uri(known.uri) == b"age\r\n30\r\n"
    (tmp_path / "rows.jsonl").write_text('{"age": 30, "label": "yes"}\n')
    assert decode_data_uri(known_samples(tmp_path / "rows.jsonl", table=True)[0].uri) == b'{"age": 30}'


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("text,class\nrain,1\n", "no column 'label'"),
        ("words,label\nrain,1\n", "none of the columns words, label is uri, path or 'text'"),
        ("text,label\nrain,\n", "row 1: no label"),
    ],
)
def test_a_table_that_lacks_something_is_refused_in_a_sentence(
    tmp_path: Path, written: str, words: str
) -> None:
    (tmp_path / "bad.csv").write_text(written)
    with pytest.raises(ConfigError, match=words):
        known_samples(tmp_path / "bad.csv")


def test_a_path_without_labelled_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name a folder of class folders"):
        known_samples(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="no file in a class folder"):
        known_samples(tmp_path)
