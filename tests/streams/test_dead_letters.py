"""A dead letter is the record as it was, and why it died."""

from __future__ import annotations

from siftstream.schemas.errors import SchemaError
from siftstream.streams.dead_letters import MAX_MESSAGE, as_it_was, attempts_of, dead_letter
from siftstream.streams.record import Outgoing, Record

HEADERS = (("trace", b"\x00\xff"), ("trace", b"2"))


def record_of(letter: Outgoing, offset: int = 0) -> Record:
    """The letter as it is read again."""
    return Record(letter.topic, letter.partition or 0, offset, letter.key, letter.value, letter.headers)


def test_bytes_key_and_headers_stay_as_they_were() -> None:
    letter = dead_letter(Record("p.labels", 3, 7, b"k", b"\xff", HEADERS), SchemaError("why"), "consensus")
    assert (letter.topic, letter.partition, letter.key, letter.value) == ("dead-letters", 3, b"k", b"\xff")
    assert tuple(letter.headers)[:2] == HEADERS


def test_headers_tell_stage_type_message_and_place() -> None:
    letter = record_of(dead_letter(Record("p.labels", 3, 7, b"k", b""), SchemaError("not JSON"), "consensus"))
    told = {name: letter.header(f"siftstream.error.{name}") for name in ("stage", "type", "message")}
    place = [
        letter.header(f"siftstream.error.{name}") for name in ("topic", "partition", "offset", "attempts")
    ]
    assert told == {"stage": "consensus", "type": "SchemaError", "message": "not JSON"}
    assert place == ["p.labels", "3", "7", "1"]


def test_an_unforeseen_error_is_told_with_its_type_and_a_long_one_is_cut() -> None:
    letter = record_of(dead_letter(Record("t", 0, 0, None, b""), ValueError("x" * 5000), "fetch"))
    message = letter.header("siftstream.error.message") or ""
    assert message.startswith("ValueError('xxx")
    assert len(message) == MAX_MESSAGE


def test_a_tombstone_and_a_record_without_key_can_die() -> None:
    letter = dead_letter(Record("t", 0, 0, None, None), SchemaError("empty"), "fetch")
    assert (letter.key, letter.value) == (None, None)


def test_what_is_sent_again_is_the_record_as_it_was_with_its_attempts() -> None:
    first = record_of(
        dead_letter(Record("p.labels", 3, 7, b"k", b"v", HEADERS), SchemaError("1"), "consensus")
    )
    topic, again = as_it_was(first)
    assert (topic, again.partition, again.key, again.value) == ("p.labels", 3, b"k", b"v")
    assert tuple(again.headers) == (*HEADERS, ("siftstream.error.attempts", b"1"))


def test_attempts_are_counted_over_deaths() -> None:
    record = Record("p.labels", 0, 0, b"k", b"v")
    for death in (1, 2, 3):
        letter = record_of(dead_letter(record, SchemaError("again"), "consensus"))
        assert attempts_of(letter) == death
        _, again = as_it_was(letter)
        record = record_of(again)
    assert attempts_of(record) == 3


def test_attempts_that_are_no_number_count_as_none() -> None:
    forged = Record("t", 0, 0, None, b"", (("siftstream.error.attempts", b"many"),))
    assert attempts_of(forged) == 0
    assert attempts_of(record_of(dead_letter(forged, SchemaError("x"), "fetch"))) == 1
