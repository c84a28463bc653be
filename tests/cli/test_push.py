"""`siftstream push` on a real broker: all of it arrives, once, also after a kill in the middle."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from siftstream.cli import app
from siftstream.connectors.push import Pushed, pairs
from siftstream.schemas.errors import SchemaError
from siftstream.schemas.ids import sample_id_of
from tests.cli.deadline import eventually
from tests.connectors.topic import count_in, events_in, names_in, records_in

MANY = 20_000


@pytest.fixture
def topic(broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The topic of a pipeline of its own on the shared broker, in a folder of its own."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("SIFTSTREAM_PIPELINE__NAME", topic_prefix)
    monkeypatch.delenv("SIFTSTREAM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return f"{topic_prefix}.data-uris"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "deep/c.png", "deep/notes.txt"):
        file = tmp_path / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return tmp_path / "images"


def push(*words: str, code: int = 0, stdin: str | None = None) -> str:
    result = CliRunner().invoke(app, ["push", *words], input=stdin)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def in_the_background(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "siftstream", "push", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def many(tmp_path: Path) -> list[str]:
    uris = [f"s3://cats/{number:05d}.png" for number in range(MANY)]
    (tmp_path / "list.txt").write_text("\n".join(uris))
    return uris


def recorded(tmp_path: Path) -> int:
    """How many entries the record on disk has."""
    files = list((tmp_path / ".siftstream" / "push").glob("*.sqlite3"))
    if not files:
        return 0
    with closing(sqlite3.connect(files[0])) as db:
        try:
            return int(db.execute("SELECT count(*) FROM sent").fetchone()[0])
        except sqlite3.OperationalError:  # the table is not made yet
            return 0


def test_metadata_needs_a_key() -> None:
    assert pairs(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    for word in ("a", "=b"):
        with pytest.raises(SchemaError, match="write key=value"):
            pairs([word])


def test_the_rate_is_of_what_was_acknowledged() -> None:
    assert Pushed(sent=20, acknowledged=10, seconds=2.0, known=5).rate == 5.0
    assert Pushed(sent=0, acknowledged=0, seconds=0.0).rate == 0.0


@pytest.mark.kafka
def test_a_second_push_sends_nothing_but_what_is_new(broker: str, topic: str, images: Path) -> None:
    assert "4 of 4 URIs are in" in push("images")
    again = push("images")
    assert "4 of 4 URIs are in" in again
    assert "nothing is new, 4 were there before" in again
    assert count_in(broker, topic) == 4
    (images / "a-new-one-with-an-early-name.png").write_bytes(b"x")
    assert "5 of 5 URIs are in" in push("images")
    assert count_in(broker, topic) == 5
    assert "4 of 4" in push("images/deep", "images/*.png", "--restart", "--exclude", "a-new*")
    assert count_in(broker, topic) == 9


@pytest.mark.kafka
def test_other_metadata_makes_another_event(broker: str, topic: str, images: Path) -> None:
    push("images/a.png")
    push("images/a.png", "--metadata", "camera=3")
    push("images/a.png", "--metadata", "camera=3")
    assert sorted(event.metadata.get("camera", "") for event in events_in(broker, topic)) == ["", "3"]


@pytest.mark.kafka
def test_a_topic_that_was_made_again_gets_everything_again(
    broker: str, topic: str, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kafka import KafkaAdminClient

    push("images")
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.delete_topics([topic])
    eventually(lambda: topic not in admin.list_topics(), 20, "the topic is gone")
    admin.close()
    assert "4 of 4 URIs are in" in push("images")
    assert count_in(broker, topic) == 4


@pytest.mark.kafka
def test_a_push_killed_in_the_middle_goes_on_and_loses_nothing(
    broker: str, topic: str, tmp_path: Path
) -> None:
    uris = many(tmp_path)
    killed = in_the_background("--list", "list.txt", "--rate", "5000")
    eventually(lambda: recorded(tmp_path) > 2000, 60, "some of it is pushed and recorded")
    killed.kill()
    killed.communicate()
    before = count_in(broker, topic)
    assert before < MANY, "it was killed too late for this test to say anything"
    known = recorded(tmp_path)
    said = push("--list", "list.txt")
    assert f"{MANY:,} of {MANY:,} URIs are in {topic}" in said
    assert f"{MANY - known:,} sent" in said
    names = [event.sample_id for event in events_in(broker, topic)]
    assert set(names) == {sample_id_of(uri) for uri in uris}
    assert len(names) - MANY == before - known, "twice: only what was acknowledged and not yet recorded"
    assert "nothing is new" in push("--list", "list.txt")
    assert count_in(broker, topic) == len(names)


@pytest.mark.kafka
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_push_that_is_stopped_sends_nothing_twice(
    number: signal.Signals, broker: str, topic: str, tmp_path: Path
) -> None:
    many(tmp_path)
    stopped = in_the_background("--list", "list.txt", "--rate", "3000")
    eventually(lambda: count_in(broker, topic) > 1000, 60, "some of it is pushed")
    stopped.send_signal(number)
    said, _ = stopped.communicate(timeout=30)
    assert stopped.returncode == 130, said
    assert "pushed now; the same command goes on from there" in said
    push("--list", "list.txt")
    assert count_in(broker, topic) == MANY


@pytest.mark.kafka
def test_csv_and_json_lines_bring_ids_and_metadata(broker: str, topic: str, images: Path) -> None:
    (images / "list.csv").write_text("path,sample_id,camera\na.png,cat-1,3\n")
    line = {"uri": "s3://cats/1.png", "event_time": 12.5, "metadata": {"site": "north"}, "camera": 4}
    (images / "list.jsonl").write_text(json.dumps(line))
    assert "2 of 2" in push("--list", "images/list.csv", "--list", "images/list.jsonl", "--metadata", "run=1")
    first, second = sorted(events_in(broker, topic), key=lambda event: event.uri)
    assert (first.uri, first.sample_id) == ((images / "a.png").as_uri(), "cat-1")
    assert first.metadata == {"camera": "3", "run": "1"}
    assert second.event_time == 12.5
    assert second.metadata == {"site": "north", "camera": "4", "run": "1"}


@pytest.mark.kafka
def test_a_list_on_stdin(broker: str, topic: str, images: Path) -> None:
    assert "2 of 2" in push("-", stdin="images/a.png\ns3://cats/1.png\n")
    assert "1 of 1" in push("-", "--format", "csv", stdin="path,camera\nimages/b.png,3\n")
    assert names_in(broker, topic) == ["1.png", "a.png", "b.png"]


@pytest.mark.kafka
def test_a_line_of_a_slow_list_is_pushed_before_the_next_one_comes(
    broker: str, topic: str, tmp_path: Path
) -> None:
    slow = subprocess.Popen(
        [sys.executable, "-m", "siftstream", "push", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert slow.stdin is not None
    print("s3://cats/1.png", file=slow.stdin, flush=True)
    eventually(lambda: count_in(broker, topic) == 1, 30, "the first is there")
    said, _ = slow.communicate("s3://cats/2.png\n", timeout=30)
    assert "2 of 2 URIs are in" in said


@pytest.mark.kafka
def test_a_bad_line_stops_the_push_or_is_left_out(broker: str, topic: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("s3://cats/1.png\nnowhere.png\ns3://cats/2.png\n")
    words = push("--list", "list.txt", code=1)
    assert "list.txt, line 2: nowhere.png: no such file or folder" in words
    assert "1 pushed now; a push of the same goes on" in words
    words = push("--list", "list.txt", "--skip-bad")
    assert "left out: list.txt, line 2: nowhere.png" in words
    assert "2 of 3 URIs are in" in words
    assert "1 bad ones left out" in words
    assert names_in(broker, topic) == ["1.png", "2.png"]


@pytest.mark.kafka
def test_a_bad_line_is_told_without_its_secrets(broker: str, topic: str, tmp_path: Path) -> None:
    many = {f"k{number}": "v" for number in range(65)}
    (tmp_path / "list.jsonl").write_text(json.dumps({"uri": "https://a:secret@b/1.png?secret", **many}))
    words = push("--list", "list.jsonl", code=1)
    assert "list.jsonl, line 1: https://…@b/1.png?…: metadata: Dictionary should have at most 64" in words
    assert "secret" not in words


@pytest.mark.kafka
def test_an_event_that_kafka_does_not_take_is_a_bad_line(broker: str, topic: str, tmp_path: Path) -> None:
    line = json.dumps({"uri": "s3://cats/1.png", "note": "é" * 600_000}, ensure_ascii=False)
    (tmp_path / "list.jsonl").write_text(f'{line}\n{{"uri": "s3://cats/2.png"}}\n')
    words = push("--list", "list.jsonl", "--skip-bad")
    assert "list.jsonl, line 1: s3://cats/1.png: an event of 1,200,1" in words
    assert "1 of 2 URIs are in" in words


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("images", "nowhere"), "nowhere: no such file or folder"),
        (("images/*.jpg",), "images/*.jpg: no file there"),
        (("images", "--include", "*.jpg"), "images: no file there"),
        (("-",), "-: no file there"),
        ((), "nothing to push: name files, folders or URIs"),
        (("--list", "list.csv"), "list.csv: no such list"),
    ],
)
def test_nothing_to_push_is_told_and_nothing_is_sent(
    words: tuple[str, ...], sentence: str, broker: str, topic: str, images: Path
) -> None:
    assert sentence in push(*words, code=1, stdin="")
    assert count_in(broker, topic) == 0


@pytest.mark.kafka
def test_samples_travel_together_on_the_partitions_they_would_have_had_alone(
    broker: str, topic: str, images: Path
) -> None:
    for number in range(300):
        (images / f"{number}.png").write_bytes(b"x")
    push("images")
    together = records_in(broker, topic)
    assert len(together) < 20
    push("images", "--restart", "--together", "1")
    alone = records_in(broker, topic)[len(together) :]
    assert len(alone) == 304
    assert {id: p for p, ids in together for id in ids} == {id: p for p, ids in alone for id in ids}
