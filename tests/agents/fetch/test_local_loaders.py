"""file: and data: URIs: what is read, what is refused, and in which words."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from siftstream.agents.fetch.loaders.base import Loaded, LocalLoader
from siftstream.agents.fetch.loaders.data import DataLoader
from siftstream.agents.fetch.loaders.file import FileLoader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError
from tests.agents.fetch.servers import Wanted

HANDLES = pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="this system has no file handles by path")


def load(kind: type[LocalLoader], uri: str, **settings: object) -> bytes:
    return kind(FetchSettings.model_validate(settings)).read(uri)


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "my cat%41.png"
    path.parent.mkdir()
    path.write_bytes(b"meow")
    return path


def test_a_bare_path_and_three_spellings_of_a_file_uri_are_read(cat: Path) -> None:
    encoded = str(cat).replace("%", "%25").replace(" ", "%20")
    for uri in (str(cat), f"file://{encoded}", f"file://localhost{encoded}", f"FILE:{encoded}"):
        assert load(FileLoader, uri) == b"meow"


def test_a_relative_path_starts_at_the_current_folder(cat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cat.parent)
    assert load(FileLoader, cat.name, file_roots=["."]) == b"meow"


def test_a_file_whose_size_is_not_told_is_read_to_its_end() -> None:
    assert b"Pid:" in load(FileLoader, "/proc/self/status")
    with pytest.raises(RefusedError, match="larger"):
        load(FileLoader, "/proc/self/status", max_bytes=100)


@pytest.mark.parametrize("size", [0, 9, 10])
def test_a_file_within_the_limit_is_read_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(b"x" * size)
    assert load(FileLoader, str(tmp_path / "a"), max_bytes=10) == b"x" * size


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("gone.png", LoadError, "No such file"),
        ("", LoadError, "is a folder"),
        ("big", RefusedError, r"larger than fetch.max_bytes \(10 bytes\)"),
        ("pipe", RefusedError, "no regular file"),
        ("a\0b", LoadError, "not a path"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, kind: type[LoadError], words: str) -> None:
    (tmp_path / "big").write_bytes(b"x" * 11)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(kind, match=words):
        load(FileLoader, f"{tmp_path}/{name}", max_bytes=10)


def test_a_file_uri_of_another_host_is_told_from_a_forgotten_slash() -> None:
    with pytest.raises(LoadError, match="three slashes"):
        load(FileLoader, "file://data/cat.png")


def test_files_under_a_root_are_read_and_links_inside_it_followed(cat: Path) -> None:
    (cat.parent / "link").symlink_to(cat)
    for uri in (cat, cat.parent / "link", cat.parent / ".." / "in" / cat.name):
        assert load(FileLoader, str(uri), file_roots=[str(cat.parent)]) == b"meow"


def test_a_root_that_is_a_link_counts_as_what_it_points_to(cat: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(cat.parent)
    assert load(FileLoader, str(cat), file_roots=[str(tmp_path / "alias")]) == b"meow"


@pytest.mark.parametrize("way", ["other", "in/link", "in/../other", "in/folder/other", "in-side"])
def test_nothing_outside_the_roots_is_read_by_any_way(cat: Path, tmp_path: Path, way: str) -> None:
    (tmp_path / "other").write_bytes(b"secret")
    (tmp_path / "in-side").write_bytes(b"secret")
    (cat.parent / "link").symlink_to(tmp_path / "other")
    (cat.parent / "folder").symlink_to(tmp_path)
    with pytest.raises(RefusedError, match=r"outside the folders of fetch\.file_roots"):
        load(FileLoader, f"file://{tmp_path}/{way}", file_roots=[str(cat.parent)])


@pytest.mark.parametrize(
    ("by_handle", "opens", "expected"),
    [
        (False, "/", pytest.raises(RefusedError, match="changed while it was opened")),
        pytest.param(True, "/", pytest.raises(RefusedError, match="lies outside"), marks=HANDLES),
        pytest.param(True, "/proc/self/fd/", nullcontext(), marks=HANDLES),  # reads what was checked
    ],
)
def test_a_link_swapped_between_check_and_open_leads_nowhere_else(
    by_handle: bool,
    opens: str,
    expected: AbstractContextManager[Any],
    cat: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / cat.name).write_bytes(b"secret")
    inside, opened = cat.parent / "sub", os.open
    inside.mkdir()
    (inside / cat.name).write_bytes(b"meow")

    def swap_then_open(path: Path, flags: int) -> int:
        if inside.is_dir() and not inside.is_symlink() and str(path).startswith(opens):
            (inside / cat.name).unlink()
            inside.rmdir()
            inside.symlink_to(tmp_path / "secret")
        return opened(path, flags)

    loader = FileLoader(FetchSettings(file_roots=(str(cat.parent),)))
    loader._by_handle = by_handle
    monkeypatch.setattr(os, "open", swap_then_open)
    with expected:
        assert loader.read(str(inside / cat.name)) == b"meow"
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("uri", "data"),
    [
        ("data:,hello%20there", b"hello there"),
        ("data:text/plain;charset=utf-8,%C3%A9", "é".encode()),
        ("data:image/png;base64,AAEC/w==", b"\0\1\2\xff"),
        ("DATA:;BASE64,AAEC%2Fw%3D%3D", b"\0\1\2\xff"),
        ("data:;base64,AAEC\n /w==", b"\0\1\2\xff"),
        ("data:,", b""),
    ],
)
def test_a_data_uri_is_decoded(uri: str, data: bytes) -> None:
    assert load(DataLoader, uri) == data


@pytest.mark.parametrize(
    ("uri", "words"),
    [("data:AAEC", "needs a comma"), ("data:;base64,AAE", "base64"), ("data:;base64,A*==", "base64")],
)
def test_a_broken_data_uri_is_an_error_without_its_payload(uri: str, words: str) -> None:
    with pytest.raises(LoadError, match=words) as caught:
        load(DataLoader, uri)
    assert "AAE" not in str(caught.value)


def test_a_data_uri_has_the_size_limit_of_all() -> None:
    uri = "data:;base64," + base64.b64encode(b"x" * 11).decode()
    with pytest.raises(RefusedError, match="larger"):
        load(DataLoader, uri, max_bytes=10)


def test_a_file_without_a_percent_sign_costs_no_decoding_and_one_with_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "é").write_bytes(b"1")
    (tmp_path / "b#c?d").write_bytes(b"2")
    assert load(FileLoader, f"file://{tmp_path}/%C3%A9") == load(FileLoader, f"file://{tmp_path}/é") == b"1"
    assert load(FileLoader, f"file://{tmp_path}/b#c?d") == b"2"


def test_a_file_that_grew_or_shrank_while_it_was_read_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / "a", os.read
    path.write_bytes(b"x" * 10)

    def grow_then_read(descriptor: int, size: int) -> bytes:
        monkeypatch.undo()
        with path.open("ab") as end:
            end.write(b"y" * 100_000)
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", grow_then_read)
    assert load(FileLoader, str(path)) == b"x" * 10 + b"y" * 100_000

    def shrink_then_read(descriptor: int, size: int) -> bytes:
        monkeypatch.undo()
        os.truncate(path, 3)
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", shrink_then_read)
    assert load(FileLoader, str(path)) == b"xxx"


@pytest.mark.parametrize("kind", [FileLoader, DataLoader])
async def test_a_load_says_first_how_much_memory_it_takes(cat: Path, kind: type[LocalLoader]) -> None:
    want = Wanted()
    async with kind(FetchSettings()) as loader:
        uri = str(cat) if kind is FileLoader else "data:,meow"
        assert await loader.load(uri, want) == Loaded(b"meow")
        assert sum(want.asked) >= 4
        with pytest.raises(LoadError):
            await loader.load("/no/such/file" if kind is FileLoader else "data:", want)


def test_a_file_is_read_from_many_threads_at_once(tmp_path: Path) -> None:
    for name in range(20):
        (tmp_path / str(name)).write_bytes(str(name).encode() * 1000)
    loader = FileLoader(FetchSettings())
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(lambda n: loader.read(f"{tmp_path}/{n % 20}"), range(400)))
    assert read == [str(n % 20).encode() * 1000 for n in range(400)]
