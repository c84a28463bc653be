"""What makes a start quick: the class archive and the formatted template."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker.archive import archive_flags, archive_path
from siftstream.streams.broker.cache import KEPT_LOGS, new_log
from siftstream.streams.broker.java import Java
from siftstream.streams.broker.jvm import Jvm
from siftstream.streams.broker.prepare import Prepared
from siftstream.streams.broker.storage import META, format_storage


def jvm(version: str) -> Jvm:
    return Jvm(Java(Path("/java"), version), [Path("/kafka.jar")])


def silent(words: str) -> None:
    """Hear nothing."""


def writes(flags: Sequence[str]) -> None:
    Path(flags[0].partition("=")[2]).write_text("an archive")


def unwanted(flags: Sequence[str]) -> None:
    raise AssertionError("trained again")


@pytest.mark.parametrize(
    ("version", "flag"), [("17.0.15", "-XX:SharedArchiveFile="), ("25.0.2", "-XX:AOTCache=")]
)
def test_an_archive_is_made_once_and_used_ever_after(cache: Path, version: str, flag: str) -> None:
    expected = [f"{flag}{archive_path(jvm(version))}"]
    assert archive_flags(jvm(version), writes, silent) == expected
    assert archive_flags(jvm(version), unwanted, silent) == expected


def test_another_java_gets_an_archive_of_its_own(cache: Path) -> None:
    assert archive_path(jvm("17.0.15")) != archive_path(jvm("17.0.16"))


def test_failing_to_make_an_archive_only_costs_time_and_is_not_tried_again(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(flags: Sequence[str]) -> None:
        writes(flags)
        raise BrokerError("the broker died")

    assert archive_flags(jvm("17"), fails, silent) == []
    assert "starts slower" in caplog.text
    assert archive_flags(jvm("17"), unwanted, silent) == []
    assert [path.suffix for path in (cache / "archives").iterdir()] == [".failed"]


def test_a_new_folder_gets_ids_of_its_own(fake_kafka: object, tmp_path: Path) -> None:
    format_storage(jvm("17"), tmp_path / "one")
    format_storage(jvm("17"), tmp_path / "two")
    one, two = ((tmp_path / name / META).read_text() for name in ("one", "two"))
    assert "template" not in one
    assert one != two
    assert one.endswith("node.id=1\n")


def test_a_formatted_folder_stays_as_it_is(fake_kafka: object, tmp_path: Path) -> None:
    format_storage(jvm("17"), tmp_path / "one")
    before = (tmp_path / "one" / META).read_text()
    format_storage(jvm("17"), tmp_path / "one")
    assert (tmp_path / "one" / META).read_text() == before


def test_only_the_newest_logs_are_kept(cache: Path) -> None:
    for port in range(KEPT_LOGS + 5):
        new_log(port).write_text("")
    assert len(list((cache / "logs").iterdir())) == KEPT_LOGS


def test_the_command_uses_little_memory_and_no_network_but_ours() -> None:
    prepared = Prepared(jvm("25"), ["-XX:AOTCache=/archive"])
    command = prepared.jvm.command(prepared.flags, "kafka.Kafka", "server.properties")
    assert command[0] == "/java"
    assert {"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:AOTCache=/archive"} < set(command)
    assert command[-4:] == ["-cp", "/kafka.jar", "kafka.Kafka", "server.properties"]
