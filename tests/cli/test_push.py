"""What is pushed: files, folders, URIs, lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from siftstream.connectors.push import files_in, iter_uris, pairs
from siftstream.schemas.errors import LoadError, SchemaError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.png", ".hidden", "deep/c d.png", ".git/x.png", "deep/.DS_Store"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
    return tmp_path


def test_a_folder_gives_every_file_below_without_hidden_ones(folder: Path) -> None:
    assert [path.relative_to(folder).as_posix() for path in files_in(folder)] == [
        "a.png",
        "b.png",
        "deep/c d.png",
    ]
    assert list(iter_uris([str(folder)]))[-1] == (folder / "deep" / "c d.png").as_uri()
    assert list(iter_uris([str(folder)]))[-1].endswith("/deep/c%20d.png")


def test_a_hidden_file_that_is_named_is_pushed(folder: Path) -> None:
    assert list(iter_uris([str(folder / ".hidden")])) == [(folder / ".hidden").as_uri()]


def test_a_relative_path_becomes_a_whole_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert list(iter_uris(["a.png"])) == [(folder / "a.png").as_uri()]


def test_uris_pass_as_they_are() -> None:
    uris = ["s3://cats/1.png", "https://example.org/a?b=c", "data:image/png;base64,AA==", "file:///x"]
    assert list(iter_uris(uris)) == uris


def test_a_list_may_mix_uris_files_and_folders(folder: Path) -> None:
    lines = ["s3://cats/1.png\n", "\n", "# a comment\n", f"{folder / 'deep'}\n", str(folder / "a.png")]
    assert [uri.rsplit("/", 1)[1] for uri in iter_uris(["-"], lines)] == ["1.png", "c%20d.png", "a.png"]


def test_what_is_neither_file_nor_uri_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"line 2: .*nowhere: no such file or folder, and no URI"):
        list(iter_uris(["-"], ["s3://a/b", str(tmp_path / "nowhere")]))


def test_links_that_go_round_end(folder: Path) -> None:
    (folder / "deep" / "up").symlink_to(folder)
    assert len(list(files_in(folder))) == 3


def test_metadata_needs_a_key() -> None:
    assert pairs(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    for word in ("a", "=b"):
        with pytest.raises(SchemaError, match="write key=value"):
            pairs([word])
