"""`siftstream watch` on a real broker: what appears is sent once, whole, also over restarts and outages."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.streams.broker import LocalBroker
from tests.cli.deadline import eventually
from tests.connectors.topic import count_in, events_in, names_in

READY = "watching: all that was there is seen"
PROGRAM = "from siftstream.cli import main; main()"
IMPATIENT = (  # its producer gives up after three seconds instead of two minutes
    "from kafka import KafkaProducer;"
    "KafkaProducer.DEFAULT_CONFIG.update(delivery_timeout_ms=3000, request_timeout_ms=2000);" + PROGRAM
)


@pytest.fixture
def topic(broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The topic of a pipeline of its own on the shared broker, in a folder of its own."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.delenv("SIFTSTREAM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return f"{topic_prefix}.data-uris"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "in"


class Watching:
    """A `siftstream watch` in a process of its own, and what it says."""

    def __init__(self, *words: str, program: str = PROGRAM) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, "watch", *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            self._lines.extend(lines)

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def says(self, words: str) -> None:
        eventually(lambda: words in self.said or self._process.poll() is not None, 40, words)
        assert words in self.said, self.said

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        self._process.send_signal(number)
        assert self._process.wait(20) == 0, self.said
        self._reader.join()
        return self.said

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()


@contextmanager
def watching(*words: str) -> Iterator[Watching]:
    """Run it until it has seen all that was there, and stop it at the end."""
    process = Watching("in", "--settle", "0.3", *words)
    try:
        process.says(READY)
        yield process
    except BaseException:
        process.kill()
        raise
    else:
        process.stop()


@pytest.mark.kafka
def test_a_file_that_is_written_slowly_is_sent_once_and_only_when_whole(
    broker: str, topic: str, folder: Path
) -> None:
    with watching("--settle", "1.5"):
        pause = threading.Event()
        with (folder / "slow.bin").open("wb") as file:
            for _ in range(30):  # twice as long as a file must stand still
                file.write(b"x" * 1000)
                file.flush()
                whole = time.time()
                pause.wait(0.1)
        (folder / "quick.bin").write_bytes(b"x")
        eventually(lambda: count_in(broker, topic) >= 2, 30, "both are there")
    events = {event.uri.rpartition("/")[2]: event for event in events_in(broker, topic)}
    assert set(events) == {"slow.bin", "quick.bin"}
    assert count_in(broker, topic) == 2
    assert events["slow.bin"].event_time >= whole + 1.4


@pytest.mark.kafka
@pytest.mark.parametrize("how", [(), ("--poll", "--every", "0.2")])
def test_renamed_into_place_and_whole_folders(
    how: tuple[str, ...], broker: str, topic: str, folder: Path, tmp_path: Path
) -> None:
    (folder / "before.png").write_bytes(b"x")
    (tmp_path / "made" / "deep").mkdir(parents=True)
    (tmp_path / "made" / "deep" / "moved-in.png").write_bytes(b"x")
    with watching(*how):
        (folder / "a.png.part").write_bytes(b"x")
        (folder / "quick" / "deep").mkdir(parents=True)
        (folder / "quick" / "deep" / "made-at-once.png").write_bytes(b"x")
        (tmp_path / "made").rename(folder / "made")
        eventually(lambda: count_in(broker, topic) == 3, 30, "the whole ones are there")
        (folder / "a.png.part").rename(folder / "a.png")
        eventually(lambda: count_in(broker, topic) == 4, 30, "the renamed one, too")
    assert names_in(broker, topic) == ["a.png", "before.png", "made-at-once.png", "moved-in.png"]


@pytest.mark.kafka
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_restart_sends_nothing_twice_and_what_came_meanwhile(
    number: signal.Signals, broker: str, topic: str, folder: Path
) -> None:
    (folder / "a.png").write_bytes(b"x")
    first = Watching("in", "--settle", "0.3")
    eventually(lambda: count_in(broker, topic) == 1, 40, "what was there is sent")
    if number is signal.SIGKILL:
        eventually(lambda: recorded(topic) == 1, 20, "it is recorded a second later")
        first.kill()
    else:
        assert f"stopped: 1 sent to {topic}\n" in first.stop(number)
    (folder / "b.png").write_bytes(b"x")
    with watching():
        eventually(lambda: count_in(broker, topic) == 2, 30, "the new one is sent")
        (folder / "c.png").write_bytes(b"x")
        eventually(lambda: count_in(broker, topic) == 3, 30, "and the next")
    assert names_in(broker, topic) == ["a.png", "b.png", "c.png"]
    result = CliRunner().invoke(app, ["push", "in"])
    assert "nothing is new, 3 were there before" in result.output, "push knows what watch has sent"


def recorded(topic: str) -> int:
    """How many files the record on disk has."""
    (file,) = Path(".siftstream", "push").glob(f"{topic}-*.sqlite3")
    with closing(sqlite3.connect(file)) as db:
        return int(db.execute("SELECT count(*) FROM sent").fetchone()[0])


@pytest.mark.kafka
def test_new_only_leaves_out_what_was_there_but_not_what_came_while_it_was_down(
    broker: str, topic: str, folder: Path
) -> None:
    (folder / "before.png").write_bytes(b"x")
    (folder / "replaced.png").write_bytes(b"x")
    with watching("--new-only"):
        (folder / "new.png").write_bytes(b"x")
        (folder / "replaced.png").write_bytes(b"other")
        eventually(lambda: count_in(broker, topic) == 2, 30, "the new ones are sent")
    (folder / "meanwhile.png").write_bytes(b"x")
    with watching("--new-only"):
        eventually(lambda: count_in(broker, topic) == 3, 30, "what came meanwhile is sent")
    assert names_in(broker, topic) == ["meanwhile.png", "new.png", "replaced.png"]
    result = CliRunner().invoke(app, ["push", "in"])
    assert "4 of 4 URIs are in" in result.output
    assert count_in(broker, topic) == 4


@pytest.mark.kafka
def test_a_changed_file_is_told_of_once_and_sent_only_where_asked(
    broker: str, topic: str, folder: Path
) -> None:
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"x")
    with watching() as process:
        eventually(lambda: count_in(broker, topic) == 2, 30, "both are sent")
        sent = max(event.event_time for event in events_in(broker, topic))
        eventually(lambda: time.time() > sent + 4, 10, "the clocks differ")
        (folder / "a.png").write_bytes(b"more")
        process.says("a.png has changed since it was sent, and is not sent again")
        (folder / "b.png").write_bytes(b"more")
        (folder / "c.png").write_bytes(b"x")
        eventually(lambda: count_in(broker, topic) == 3, 30, "the new one is sent")
        assert process.said.count("has changed since") == 1
    with watching("--changed"):
        eventually(lambda: count_in(broker, topic) == 6, 30, "by content, all are new")
        (folder / "a.png").write_bytes(b"yet more")
        eventually(lambda: count_in(broker, topic) == 7, 30, "the changed one is sent")
    with watching("--changed"):
        (folder / "d.png").write_bytes(b"x")
        eventually(lambda: count_in(broker, topic) == 8, 30, "nothing is sent twice")
    events = events_in(broker, topic)
    assert len({event.sample_id for event in events}) == 8


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("nowhere", "nowhere: no such file or folder"),
        ("s3://cats/prefix", "only folders and prefixes can be watched (a prefix ends with /"),
        ("in/*.png", "only folders and prefixes can be watched"),
    ],
)
def test_what_cannot_be_watched_is_told(place: str, sentence: str, topic: str) -> None:
    result = CliRunner().invoke(app, ["watch", place])
    assert result.exit_code == 1
    assert sentence in result.output


@pytest.mark.kafka
def test_an_outage_longer_than_a_producer_tries_is_waited_for_and_loses_nothing(
    topic: str, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalBroker(data=tmp_path / "broker") as broker:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
        process = Watching("in", "--settle", "0.2", "--every", "0.5", program=IMPATIENT)
        try:
            (folder / "before.png").write_bytes(b"x")
            eventually(lambda: count_in(broker.bootstrap, topic) == 1, 40, "the first is sent")
            broker.kill()
            for number in range(20):
                (folder / f"{number}.png").write_bytes(b"x")
            process.says("does not take events: KafkaTimeoutError: Expiring")
            broker.restart()
            eventually(lambda: count_in(broker.bootstrap, topic) >= 21, 60, "all is sent")
            process.says("Kafka takes events again")
            assert f"stopped: 21 sent to {topic}" in process.stop()
        except BaseException:
            process.kill()
            raise
        assert len({event.uri for event in events_in(broker.bootstrap, topic)}) == 21
        assert process.said.count("nothing is lost") == 1


@pytest.mark.kafka
def test_a_stop_while_kafka_is_away_says_what_is_sent_later(
    topic: str, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalBroker(data=tmp_path / "broker") as broker:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
        process = Watching("in", "--settle", "0.2", program=IMPATIENT)
        try:
            process.says(READY)
            broker.kill()
            (folder / "a.png").write_bytes(b"x")
            process.says("nothing is lost")
            assert "not acknowledged, and sent at the next start: 1" in process.stop()
        except BaseException:
            process.kill()
            raise
        broker.restart()
        with watching():
            eventually(lambda: count_in(broker.bootstrap, topic) == 1, 30, "it is sent")
