"""Kafka's jars: fetched once, checked, and read from the cache ever after."""

import errno
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker import jars, pins


def content(artifact: str) -> bytes:
    return f"the jar of {artifact}".encode()


def fetch(jar: jars.Jar, folder: Path) -> Path:
    path = folder / jar.filename
    path.write_bytes(content(jar.artifact))
    return path


def raises(error: Exception) -> Callable[[jars.Jar, Path], Path]:
    def fetch_in_vain(jar: jars.Jar, folder: Path) -> Path:
        raise error

    return fetch_in_vain


def unwanted(jar: jars.Jar, folder: Path) -> Path:
    raise AssertionError(f"{jar} was fetched again")


@pytest.fixture
def two_jars(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    lines = [f"org.example:{a}:1.0 {hashlib.sha256(content(a)).hexdigest()}" for a in ("left", "right")]
    monkeypatch.setattr(pins, "JARS", "\n".join(lines))
    return cache / "jars"


def test_the_second_start_needs_neither_network_nor_jgo(two_jars: Path) -> None:
    told: list[str] = []
    first = jars.classpath(told.append, fetch)
    assert first == [two_jars / "left-1.0.jar", two_jars / "right-1.0.jar"]
    assert jars.classpath(told.append, unwanted) == first
    assert told == ["Fetching Kafka 4.3.1 (2 jars; the first time only)"]


def test_a_fetch_that_was_cut_short_goes_on_where_it_was(two_jars: Path) -> None:
    jars.classpath(lambda words: None, fetch)
    (two_jars / "right-1.0.jar").unlink()
    fetched: list[str] = []

    def fetch_and_note(jar: jars.Jar, folder: Path) -> Path:
        fetched.append(jar.artifact)
        return fetch(jar, folder)

    jars.classpath(lambda words: None, fetch_and_note)
    assert fetched == ["right"]


def test_a_jar_that_is_not_the_pinned_one_never_enters_the_cache(two_jars: Path) -> None:
    def fetch_another(jar: jars.Jar, folder: Path) -> Path:
        path = fetch(jar, folder)
        path.write_bytes(b"<html>Please log in")
        return path

    with pytest.raises(BrokerError, match=r"left-1.0.jar .* not the pinned one .* check the Maven mirror"):
        jars.classpath(lambda words: None, fetch_another)
    assert list(two_jars.iterdir()) == []


def test_without_network_the_first_start_says_what_to_do(two_jars: Path) -> None:
    with pytest.raises(
        BrokerError, match=r"could not be fetched .*ConnectionError: no route.*connect this mach"
    ):
        jars.classpath(lambda words: None, raises(ConnectionError("no route to host")))
    assert list(two_jars.parent.glob("fetching-*")) == []


def test_a_full_disk_is_told_as_one(two_jars: Path) -> None:
    with pytest.raises(BrokerError, match="free some space there or set SIFTSTREAM_CACHE"):
        jars.classpath(lambda words: None, raises(OSError(errno.ENOSPC, "No space left on device")))


def test_a_missing_jgo_is_told_with_its_remedy(two_jars: Path) -> None:
    with pytest.raises(BrokerError, match="pip install jgo"):
        jars.classpath(lambda words: None, raises(ModuleNotFoundError("No module named 'jgo'")))


def test_two_first_starts_at_once_fetch_once(two_jars: Path) -> None:
    fetched: list[str] = []

    def fetch_and_note(jar: jars.Jar, folder: Path) -> Path:
        fetched.append(jar.artifact)
        return fetch(jar, folder)

    starts = [
        threading.Thread(target=jars.classpath, args=(lambda words: None, fetch_and_note)) for _ in range(4)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert sorted(fetched) == ["left", "right"]


def test_every_pin_is_a_coordinate_and_a_hash() -> None:
    pinned = list(jars.pinned())
    assert len(pinned) == len({jar.filename for jar in pinned}) > 40
    assert all(len(jar.sha256) == 64 for jar in pinned)
    kafka = {jar.version for jar in pinned if jar.group == "org.apache.kafka"}
    assert kafka == {pins.KAFKA_VERSION}
