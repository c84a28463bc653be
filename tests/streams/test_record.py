"""Records in: from Faust's messages and from plain consumers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from siftstream.streams.record import Outgoing, Record


def raw(**changes: Any) -> Any:
    fields = {"topic": "t", "partition": 1, "offset": 7, "key": b"k", "value": b"v", "headers": None}
    return SimpleNamespace(**(fields | {"timestamp": None} | changes))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, ()),
        ([("a", b"1"), ("a", b"2")], (("a", b"1"), ("a", b"2"))),
        ({"a": b"1"}, (("a", b"1"),)),
        ((("empty", None),), (("empty", b""),)),
    ],
)
def test_a_faust_message_keeps_its_headers_however_faust_gives_them(headers: Any, expected: Any) -> None:
    record = Record.of_message(raw(headers=headers, timestamp=1.5))
    assert (record.headers, record.timestamp) == (expected, 1.5)


def test_a_consumers_record_has_its_time_in_seconds() -> None:
    record = Record.of_consumer(raw(timestamp=1500, headers=[("a", None)]))
    assert record == Record("t", 1, 7, b"k", b"v", (("a", b""),), 1.5)


def test_a_record_without_time_and_headers_is_read() -> None:
    assert Record.of_consumer(raw()).timestamp == Record.of_message(raw()).timestamp == 0.0


def test_the_last_header_of_a_name_counts_and_bytes_that_are_no_text_do_not_raise() -> None:
    record = Record("t", 0, 0, None, None, (("a", b"1"), ("a", b"\xff2")))
    assert (record.header("a"), record.header("b")) == ("�2", None)


def test_an_output_is_stamped_when_it_is_made() -> None:
    assert Outgoing("scores", b"").timestamp > 1.7e9
