"""The graph cache: what was put comes back, damaged files do not, and there are never too many."""

import os
from pathlib import Path

import pytest

from siftstream.models.graph_cache import ENGINES, GraphCache


def test_what_was_put_comes_back_to_another_worker(tmp_path: Path) -> None:
    GraphCache(tmp_path / "new" / "folder").put("key", b"graph" * 1000)
    assert GraphCache(tmp_path / "new" / "folder").get("key") == b"graph" * 1000


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 100])
def test_a_damaged_file_is_dropped_and_can_be_made_anew(tmp_path: Path, damage: bytes) -> None:
    cache = GraphCache(tmp_path)
    cache.put("key", b"graph")
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert cache.get("key") is None
    assert list(tmp_path.iterdir()) == []
    cache.put("key", b"graph")
    assert cache.get("key") == b"graph"


def test_only_the_newest_used_stay(tmp_path: Path) -> None:
    cache = GraphCache(tmp_path, keep=2)
    for age, key in ((3, "old"), (2, "used"), (1, "new")):
        cache.put(key, key.encode())
        os.utime(tmp_path / f"{key}.graph", (1e9 - age, 1e9 - age))
        if key == "used":
            assert cache.get("old")  # now the newest used
    cache.put("last", b"last")
    assert [cache.get(key) for key in ("old", "used", "new", "last")] == [b"old", None, None, b"last"]


def test_a_write_that_fails_leaves_nothing_and_costs_only_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = GraphCache(tmp_path / "file")
    cache.put("key", b"graph")
    assert cache.get("key") is None
    assert cache.engines() is None
    assert "cannot be written" in caplog.text


def test_tensorrts_files_are_bounded_too(tmp_path: Path) -> None:
    cache = GraphCache(tmp_path)
    folder = cache.engines()
    assert folder is not None
    for number in range(ENGINES + 5):
        (folder / f"{number}.engine").write_bytes(b"engine")
        os.utime(folder / f"{number}.engine", (number, number))
    cache.engines()
    assert {int(path.stem) for path in folder.iterdir()} == set(range(5, ENGINES + 5))
