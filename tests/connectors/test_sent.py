"""The record of what was acknowledged."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from siftstream.connectors import sent as sent_module
from siftstream.connectors.sent import LOT, Sent
from siftstream.schemas.errors import ConfigError


def marks(count: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in range(count)]


def test_what_was_added_is_known_at_once_and_after_a_restart(tmp_path: Path) -> None:
    with Sent(tmp_path / "deep" / "x.sqlite3") as sent:
        for mark in marks(1000):
            sent.add(mark)
        assert len(sent.known(marks(LOT))) == LOT
        file = sent.file
    with Sent(file) as sent:
        assert set(sent.known(marks(1001)[-LOT:])) == set(marks(1000)[-LOT + 1 :])


def test_two_share_one_record(tmp_path: Path) -> None:
    with Sent(tmp_path / "x.sqlite3") as one, Sent(tmp_path / "x.sqlite3") as other:
        one.add(b"a")
        one.write()
        other.add(b"b")
        other.add(b"a")
        other.write()
        assert set(one.known([b"a", b"b", b"c"])) == {b"a", b"b"}


def test_it_is_written_without_being_asked_when_memory_holds_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sent_module, "UNWRITTEN", 10)
    with Sent(tmp_path / "x.sqlite3") as sent, Sent(tmp_path / "x.sqlite3") as other:
        for mark in marks(10):
            sent.add(mark)
        assert len(other.known(marks(10))) == 10


def test_it_is_written_when_it_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sent(tmp_path / "x.sqlite3") as sent, Sent(tmp_path / "x.sqlite3") as other:
        sent.add(b"a")
        sent.write_if_due()
        assert not other.known([b"a"])
        monkeypatch.setattr(sent_module, "WRITE_EVERY_S", 0.0)
        sent.write_if_due()
        assert other.known([b"a"])


def test_what_could_not_be_written_is_kept_and_told(tmp_path: Path) -> None:
    with Sent(tmp_path / "x.sqlite3") as sent:
        other = sqlite3.connect(sent.file)
        other.execute("DROP TABLE sent")
        other.close()
        sent.add(b"a")
        with pytest.raises(ConfigError, match=r"x\.sqlite3, the record of what was pushed, cannot be used"):
            sent.write()
        other = sqlite3.connect(sent.file)
        other.execute("CREATE TABLE sent (mark BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID")
        other.close()
        sent.write()
        assert sent.known([b"a"])


def test_a_file_that_is_no_record_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigError, match=r"cannot be used: file is not a database; .* delete it"):
        Sent(tmp_path / "x.sqlite3")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "push").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be used"):
        Sent(tmp_path / "push" / "x.sqlite3")
