"""Labelled samples by what a path names: class folders, a zip of them, a list, a table with texts or rows."""

import base64
import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from zipfile import BadZipFile, ZipFile

from siftstream.connectors.sources.base import Entry, refuse
from siftstream.connectors.sources.fields import URI_NAMES
from siftstream.connectors.sources.folder import Folder, file_uri
from siftstream.connectors.sources.lists import list_of
from siftstream.schemas.errors import ConfigError

_TABLES = (".csv", ".jsonl", ".ndjson")


class Known(NamedTuple):
    """A sample by its URI, and its class."""

    uri: str
    label: str


def known_samples(
    path: Path, *, label: str = "label", text: str = "text", table: bool = False
) -> list[Known]:
    """Return the labelled samples that a path names.

    Args:
        path: A folder, a zip file or a folder in one (`photos.zip/train`): the folder that a file lies in
            is its class. A CSV or JSONL file: a column `uri` or `path`, or else texts, or whole rows.
        label: The column of a table that holds the class.
        text: The column that holds the text, where there is neither URI nor path.
        table: Whether a row itself is the sample, as for `transform: {kind: table}`.

    Raises:
        ConfigError: nothing there, or nothing labelled.
    """
    if path.is_dir():
        found = [
            Known(entry.uri, _folder_of(entry.uri)) for entry in Folder(str(path.absolute())).entries(refuse)
        ]
    elif (archive := _archive_of(path)) is not None:
        found = list(_members(*archive))
    elif path.suffix.lower() in _TABLES and path.is_file():
        found = list(_lines(path, label, text, table))
    else:
        raise ConfigError(
            f"{path}: no labelled data there; name a folder of class folders, a zip of them, or a .csv or"
            " .jsonl file with a column for the class"
        )
    if not found:
        raise ConfigError(f"{path}: no file in a class folder there")
    return found


def _folder_of(uri: str) -> str:
    return unquote(urlsplit(uri).path).rpartition("/")[0].rpartition("/")[2]


def _archive_of(path: Path) -> tuple[Path, str] | None:
    """Return the zip file that a path leads to or into, and the folder in it."""
    for outer in (path, *path.parents):
        if outer.suffix.lower() == ".zip" and outer.is_file():
            inner = path.relative_to(outer).as_posix()
            return outer, "" if inner == "." else f"{inner}/"
    return None


def _members(archive: Path, folder: str) -> Iterator[Known]:
    uri = file_uri(str(archive.absolute()))
    try:
        with ZipFile(archive) as file:
            names = sorted(file.namelist())
    except (OSError, BadZipFile) as error:
        raise ConfigError(f"{archive}: no zip file that can be read: {error}") from error
    for name in names:
        above = name.rpartition("/")[0].rpartition("/")[2]
        hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
        if name.startswith(folder) and not name.endswith("/") and above and not hidden:
            yield Known(f"zip://{name}::{uri}", above)


def _lines(path: Path, label: str, text: str, table: bool) -> Iterator[Known]:
    """Yield the samples of a table, a row each."""
    columns = _columns(path)
    if label not in columns:
        names = ", ".join(columns) or "none"
        raise ConfigError(
            f"{path}: no column {label!r}; --label-column names the class, columns are: {names}"
        )
    if any(name in columns for name in URI_NAMES):
        for entry in list_of(path).entries(refuse):
            yield Known(entry.uri, _label_of(entry, label))
        return
    if not table and text not in columns:
        raise ConfigError(
            f"{path}: none of the columns {', '.join(columns)} is uri, path or {text!r}; --text-column names"
            " the text"
        )
    for number, row in enumerate(_rows(path), start=1):
        if row.get(label) in (None, ""):
            raise ConfigError(f"{path}, row {number}: no {label}")
        said = {name: value for name, value in row.items() if name != label}
        payload = _row(path, said) if table else str(row.get(text, ""))
        encoded = base64.b64encode(payload.encode()).decode()
        yield Known(f"data:;base64,{encoded}", str(row[label]))


def is_csv(path: Path) -> bool:
    """Tell whether a table's rows are CSV, each with its header, and not JSON."""
    return path.suffix.lower() == ".csv"


def _row(path: Path, said: Mapping[str, Any]) -> str:
    if not is_csv(path):
        return json.dumps(said)
    lines = io.StringIO()
    csv.writer(lines).writerows((said.keys(), said.values()))
    return lines.getvalue()


def _label_of(entry: Entry, label: str) -> str:
    found = entry.metadata.get(label)
    if not found:
        raise ConfigError(f"{entry.where}no {label}")
    return found


def _columns(path: Path) -> list[str]:
    return list(next(_rows(path), {}))


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            if is_csv(path):
                yield from csv.DictReader(lines)
            else:
                yield from (json.loads(line) for line in lines if not line.isspace())
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
