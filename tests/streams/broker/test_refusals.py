"""What the local broker refuses, in one sentence that says what is wrong, where, and what to do."""

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker import LocalBroker, local
from siftstream.streams.broker.ports import free_port, is_free
from siftstream.streams.broker.prepare import Prepared

FakeKafka = Callable[[str], Prepared]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_refused_before_anything_starts(taken_port: int, fake_kafka: FakeKafka) -> None:
    with pytest.raises(
        BrokerError, match=rf"Port {taken_port} on 127.0.0.1 is taken .*choose another --port"
    ):
        LocalBroker(port=taken_port, prepared=fake_kafka("exit 1")).start()


def test_a_number_that_is_no_port_is_refused(fake_kafka: FakeKafka) -> None:
    with pytest.raises(BrokerError, match="70000 is not a port: choose one from 1 to 65535"):
        LocalBroker(port=70_000, prepared=fake_kafka("exit 1")).start()


def test_a_free_port_is_free_and_not_the_other_one() -> None:
    port = free_port()
    assert is_free(port)
    assert free_port(but=port) != port


def test_a_file_in_the_place_of_the_data_folder_is_refused(tmp_path: Path, fake_kafka: FakeKafka) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(
        BrokerError, match=r"The folder .*/data cannot be made \(File exists\): choose another"
    ):
        LocalBroker(tmp_path / "data", prepared=fake_kafka("exit 1")).start()


def test_a_full_disk_is_refused(
    tmp_path: Path, fake_kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = fake_kafka("exit 1")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 30, 1 << 30, 5 << 20))
    with pytest.raises(
        BrokerError, match=r"The disk of .*/data has 5 MB left and the broker needs 200: free"
    ):
        LocalBroker(tmp_path / "data", prepared=prepared).start()


def test_a_disk_that_fills_while_it_starts_is_refused(
    tmp_path: Path, fake_kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(local, "format_storage", full)
    with pytest.raises(
        BrokerError, match=r"could not be started in .*/data .*No space left .*choose another"
    ):
        LocalBroker(tmp_path / "data", prepared=fake_kafka("exit 1")).start()


@pytest.mark.parametrize(
    ("last_words", "sentence"),
    [
        ("java.io.IOException: No space left on device", "the disk of .* is full: free some space"),
        ("Failed to acquire lock on file .lock in kafka", "another broker runs on .*: stop it"),
        ("java.lang.OutOfMemoryError: Java heap space", "ran out of memory"),
        ("Invalid cluster.id in: meta.properties", "holds the files of another cluster"),
    ],
)
def test_a_known_cause_of_death_is_told_in_a_sentence(
    last_words: str, sentence: str, tmp_path: Path, fake_kafka: FakeKafka
) -> None:
    broker = LocalBroker(tmp_path / "data", prepared=fake_kafka(f"echo '{last_words}'; exit 1"))
    with pytest.raises(BrokerError, match=rf"ended while it started \(status 1\): .*{sentence}.*broker.log"):
        broker.start()


def test_an_unknown_cause_is_told_by_the_last_lines_of_the_log(tmp_path: Path, fake_kafka: FakeKafka) -> None:
    (tmp_path / "log").write_text("No space left on device, said an earlier run\n")
    broker = LocalBroker(log=tmp_path / "log", prepared=fake_kafka("echo a riddle; exit 3"))
    with pytest.raises(BrokerError, match=r"\(status 3\): see .*/log, which ends with:\n  a riddle$"):
        broker.start()


def test_a_port_of_our_own_choice_is_changed_when_somebody_was_quicker(
    tmp_path: Path, fake_kafka: FakeKafka
) -> None:
    broker = LocalBroker(
        tmp_path / "data",
        prepared=fake_kafka("grep ^advertised server.properties >> tried; echo Failed to bind; exit 1"),
    )
    with pytest.raises(BrokerError, match="was taken: stop the process"):
        broker.start()
    assert len(set((tmp_path / "data" / "tried").read_text().splitlines())) == 3


def test_a_failed_start_keeps_its_log_and_drops_its_temporary_data(
    fake_kafka: FakeKafka, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    broker = LocalBroker(prepared=fake_kafka("echo a riddle; exit 3"))
    with pytest.raises(BrokerError):
        broker.start()
    assert broker.log_path.read_text() == "a riddle\n"
    assert broker.log_path.parent == cache / "logs"
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_broker_that_was_not_started_says_so() -> None:
    broker = LocalBroker()
    for ask in (lambda: broker.bootstrap, lambda: broker.pid, broker.kill, broker.restart):
        with pytest.raises(BrokerError, match=r"start\(\) it first"):
            ask()
    broker.stop()
