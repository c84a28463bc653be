"""What sources give: folders, patterns, URIs, lists in three formats."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from siftstream.connectors.push import total_of
from siftstream.connectors.sources.base import Entry, Source, event_of, mark_of, refuse
from siftstream.connectors.sources.folder import Folder
from siftstream.connectors.sources.formats import Format
from siftstream.connectors.sources.lists import list_of
from siftstream.connectors.sources.named import source_of
from siftstream.connectors.sources.patterns import Patterns
from siftstream.schemas.errors import ConfigError, LoadError, SchemaError, SiftError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "data"
    for name in ("b.png", "a.png", ".hidden", "deep/c d.png", "deep/e.txt", ".git/x.png", "deep/.DS_Store"):
        file = top / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return top


def entries(source: Source) -> list[Entry]:
    return list(source.entries(refuse))


def below(source: Source, top: Path) -> list[str]:
    return [entry.uri.removeprefix(f"{top.as_uri()}/") for entry in entries(source)]


def a_list(tmp_path: Path, name: str, *lines: str) -> Path:
    file = tmp_path / name
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def told(source: Source) -> tuple[list[Entry], list[str]]:
    """Return what a source gives when bad lines do not stop it, and what is said of them."""
    errors: list[SiftError] = []
    found = list(source.entries(errors.append))
    return found, [str(error) for error in errors]


# --- folders and patterns -----------------------------------------------------------------------


def test_a_folder_gives_every_file_below_by_name_without_hidden_ones(folder: Path) -> None:
    assert below(source_of(str(folder)), folder) == ["a.png", "b.png", "deep/c%20d.png", "deep/e.txt"]


def test_a_hidden_file_that_is_named_is_pushed(folder: Path) -> None:
    assert below(source_of(str(folder / ".hidden")), folder) == [".hidden"]


def test_relative_paths_with_and_without_detours_are_one_sample(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "deep")
    words = ("../a.png", "./../a.png", "../../data/a.png", str(folder / "a.png"))
    assert {uri for word in words for uri in below(source_of(word), folder)} == {"a.png"}


def test_a_detour_through_a_link_goes_where_the_system_goes(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder / "deep")
    assert below(source_of(str(tmp_path / "link" / ".." / "a.png")), folder) == ["a.png"]


def test_links_that_go_round_end(folder: Path) -> None:
    (folder / "deep" / "up").symlink_to(folder)
    assert len(entries(source_of(str(folder)))) == 4


def test_a_folder_that_cannot_be_read_is_told_and_not_passed_over(folder: Path) -> None:
    gone = Folder(str(folder / "gone"))
    with pytest.raises(LoadError, match=r"gone: cannot be read: No such file"):
        entries(gone)
    assert told(gone)[1] == [f"{folder}/gone: cannot be read: No such file or directory;"
                             " nothing in it was pushed"]  # fmt: skip


def test_a_name_that_is_not_utf_8_becomes_a_uri(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png")).write_bytes(b"x")
    assert "%FF.png" in below(source_of(str(folder)), folder)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.png", ["a.png", "b.png"]),
        ("**/*.png", ["a.png", "b.png", "deep/c%20d.png"]),
        ("de?p/[!x]*.txt", ["deep/e.txt"]),
        ("*/*", ["deep/c%20d.png", "deep/e.txt"]),
        ("deep", ["deep/c%20d.png", "deep/e.txt"]),
        ("[ab].png", ["a.png", "b.png"]),
    ],
)
def test_a_pattern_names_files(pattern: str, names: list[str], folder: Path) -> None:
    assert below(source_of(f"{folder}/{pattern}"), folder) == names


def test_a_file_whose_name_looks_like_a_pattern_is_itself(folder: Path) -> None:
    (folder / "[ab].png").write_bytes(b"x")
    assert below(source_of(str(folder / "[ab].png")), folder) == ["%5Bab%5D.png"]


def test_a_pattern_below_a_folder_whose_name_looks_like_one(folder: Path, tmp_path: Path) -> None:
    odd = folder.rename(tmp_path / "[old]")
    assert len(entries(source_of(f"{odd}/*.png"))) == 2


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        (["*.png"], [], ["a.png", "b.png", "deep/c%20d.png"]),
        (["deep/*"], ["*.txt"], ["deep/c%20d.png"]),
        ([], ["deep"], ["a.png", "b.png"]),
        ([], ["deep/"], ["a.png", "b.png"]),
        ([], ["deep/**", "a.*"], ["b.png"]),
    ],
)
def test_patterns_let_in_and_keep_out(
    include: list[str], exclude: list[str], names: list[str], folder: Path
) -> None:
    assert below(source_of(str(folder), None, Patterns(include, exclude)), folder) == names


def test_patterns_do_not_concern_what_is_named(folder: Path) -> None:
    assert below(source_of(str(folder / "a.png"), None, Patterns(["*.jpg"])), folder) == ["a.png"]


def test_uris_pass_as_they_are() -> None:
    uris = ["s3://cats/1.png", "https://example.org/a?b=c", "data:image/png;base64,AA==", "file:///x"]
    assert [entry.uri for uri in uris for entry in entries(source_of(uri))] == uris


# --- lists --------------------------------------------------------------------------------------


def test_a_text_list_may_mix_uris_files_folders_and_patterns(folder: Path) -> None:
    file = a_list(folder.parent, "list.txt", "s3://cats/1.png", "", "# more", "data/deep", "data/[a]*", "  ")
    uris = [entry.uri.rpartition("/")[2] for entry in entries(list_of(file))]
    assert uris == ["1.png", "c%20d.png", "e.txt", "a.png"]


def test_relative_paths_count_from_the_list_or_from_where_it_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_list(folder, "list.txt", "a.png")
    monkeypatch.chdir(tmp_path)
    assert below(list_of(file), folder) == ["a.png"]
    assert below(list_of(a_list(tmp_path, "other.txt", "a.png"), base=folder), folder) == ["a.png"]


def test_a_csv_list_has_ids_times_and_metadata(folder: Path) -> None:
    file = a_list(
        folder, "list.csv", "camera,path,sample_id,event_time,site",
        '3,a.png,cat-1,2025-01-01T00:00:00+00:00,"north, east"', "", "4,s3://cats/1.png,,12.5,",
    )  # fmt: skip
    first, second = entries(list_of(file))
    assert first.uri == (folder / "a.png").as_uri()
    assert first[1:4] == ("cat-1", 1735689600.0, {"camera": "3", "site": "north, east"})
    assert second[:4] == ("s3://cats/1.png", "", 12.5, {"camera": "4"})
    assert event_of(first).sample_id == "cat-1"


def test_a_list_of_json_lines_has_ids_times_and_metadata(tmp_path: Path) -> None:
    file = a_list(
        tmp_path, "list.jsonl",
        '{"uri": "s3://cats/1.png", "sample_id": 7, "metadata": {"camera": "3"}, "tags": ["a", "b"]}',
        '{"uri": "s3://cats/2.png", "event_time": 12.5, "ok": true, "note": null}',
    )  # fmt: skip
    first, second = entries(list_of(file))
    assert first[1:4] == ("7", None, {"camera": "3", "tags": '["a","b"]'})
    assert second[1:4] == ("", 12.5, {"ok": "true"})


def test_metadata_of_a_line_that_names_a_folder_goes_with_every_file(folder: Path) -> None:
    found = entries(list_of(a_list(folder.parent, "list.csv", "path,camera", "data/deep,3")))
    assert [entry.metadata for entry in found] == [{"camera": "3"}] * 2


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_list(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(b"\xef\xbb\xbfuri,camera\r\ns3://cats/1.png,3\r\n")
    assert [entry[:4] for entry in entries(list_of(file))] == [("s3://cats/1.png", "", None, {"camera": "3"})]


@pytest.mark.parametrize(
    ("name", "line", "sentence"),
    [
        ("list.txt", "nowhere.png", "line 2: nowhere.png: no such file or folder, and no URI"),
        ("list.txt", "no\0where.png", "line 2: no\N{REPLACEMENT CHARACTER}where.png: no such file"),
        ("list.jsonl", "{", "line 2: not JSON"),
        ("list.jsonl", "[" * 100_000, "line 2: not JSON"),
        ("list.jsonl", '"s3://cats/1.png"', "line 2: no JSON object"),
        ("list.jsonl", '{"url": "s3://cats/1.png"}', "line 2: no text under `uri` or `path`"),
        ("list.jsonl", '{"uri": 3}', "line 2: no text under `uri` or `path`"),
        ("list.jsonl", '{"uri": "s3://a/b", "event_time": "noon"}', "line 2: event_time 'noon': write sec"),
        ("list.jsonl", '{"uri": "s3://a/b", "event_time": "2025-01-01"}', "write seconds since 1970"),
        ("list.jsonl", '{"uri": ".", "sample_id": "a"}', "line 2: a sample_id names one file or URI"),
    ],
)
def test_a_bad_line_is_told_by_its_number(name: str, line: str, sentence: str, tmp_path: Path) -> None:
    good = '{"uri": "s3://cats/1.png"}' if name.endswith("jsonl") else "s3://cats/1.png"
    source = list_of(a_list(tmp_path, name, good, line, good))
    with pytest.raises((LoadError, SchemaError)) as raised:
        entries(source)
    assert sentence in str(raised.value)
    found, sentences = told(source)
    assert len(found) == 2, "the lines before and after are good"
    assert len(sentences) == 1


def test_a_csv_row_with_other_cells_than_columns_is_told_by_its_line(tmp_path: Path) -> None:
    source = list_of(
        a_list(tmp_path, "list.csv", "uri,note", 's3://a/1,"two\nlines"', "s3://a/2", "s3://a/3,")
    )
    found, sentences = told(source)
    assert [entry.uri for entry in found] == ["s3://a/1", "s3://a/3"]
    assert sentences == [f"{tmp_path}/list.csv, line 4: 1 cells where the first line names 2 columns"]


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        ("s3://cats/1.png", "the first line of a CSV list names its columns"),
        ("uri,camera,camera", "the column 'camera' of the CSV list stands there twice"),
    ],
)
def test_a_csv_without_a_usable_first_line_is_refused(first: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"list.csv: {sentence}"):
        entries(list_of(a_list(tmp_path, "list.csv", first, "s3://cats/2.png")))


def test_a_file_that_is_no_list_is_refused_before_memory_is_full(tmp_path: Path) -> None:
    file = tmp_path / "movie.mp4"
    file.write_bytes(b"x" * (2 << 20))
    with pytest.raises(ConfigError, match=r"movie.mp4: line 1 is longer than .* is this a list"):
        entries(list_of(file))


def test_a_list_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no such list"):
        list_of(tmp_path / "nowhere.csv")


def test_standard_input_is_read_a_line_at_a_time_and_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    binary = io.BytesIO(b"s3://cats/1.png\ns3://cats/2.png\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(binary))
    assert [entry.uri[-5:] for entry in entries(list_of(None))] == ["1.png", "2.png"]
    assert not binary.closed


def test_what_is_wrong_with_an_entry_is_told_without_what_stands_there() -> None:
    entry = Entry("https://ann:secret@host/1.png?sig=secret", metadata={f"k{n}": "v" for n in range(99)})
    with pytest.raises(SchemaError, match=r"^metadata: Dictionary should have at most 64 items") as raised:
        event_of(entry)
    assert "secret" not in str(raised.value)


# --- counting and marks -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lines", "count"),
    [
        ("list.txt", ["s3://a/1", "", "# no", "s3://a/2"], 2),
        ("list.csv", ["uri,note", 's3://a/1,"two\nlines"', "", "s3://a/2,"], 2),
        ("list.jsonl", ['{"uri": "s3://a/1"}', " ", '{"uri": "s3://a/2"}'], 2),
    ],
)
def test_the_total_is_what_will_come(name: str, lines: list[str], count: int, tmp_path: Path) -> None:
    source = list_of(a_list(tmp_path, name, *lines))
    assert total_of([source, source_of("s3://a/3")], within=60.0) == count + 1
    assert len(entries(source)) == count


def test_there_is_no_total_of_what_can_be_read_only_once_or_takes_long(tmp_path: Path) -> None:
    assert total_of([source_of("s3://a/3"), list_of(None)], within=60.0) is None
    assert total_of([source_of("s3://a/")], within=60.0) is None
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert list_of(fifo).tally() is None
    long = list_of(a_list(tmp_path, "long.txt", *["s3://a/1"] * 1001))
    assert total_of([long], within=-1.0) is None


def test_a_mark_is_of_all_that_is_sent() -> None:
    same = Entry("s3://a/1")
    others = [
        Entry("s3://a/2"), Entry("s3://a/1", "id"), Entry("s3://a/1", event_time=1.0),
        Entry("s3://a/1", metadata={"a": "b"}), Entry("s3://a/1", metadata={"a": "c"}),
    ]  # fmt: skip
    assert len({mark_of(entry) for entry in [same, *others, same._replace(where="elsewhere")]}) == 6
    assert all(len(mark_of(entry)) == 16 for entry in others)


def test_a_mark_can_be_made_of_what_is_no_text() -> None:
    assert mark_of(Entry("s3://a/\udcff")) != mark_of(Entry("s3://a/\ud800"))
    with pytest.raises(SchemaError):
        event_of(Entry("s3://a/\udcff"))


def test_formats_are_told_by_name_or_said(tmp_path: Path) -> None:
    file = a_list(tmp_path, "list.txt", "uri", "s3://a/1")
    assert [entry.uri for entry in entries(list_of(file, Format.CSV))] == ["s3://a/1"]
