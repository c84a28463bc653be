"""One record or a bunch, one URI or an array: each URI comes out alone, each message is acknowledged once."""

from __future__ import annotations

from typing import Any

import pytest

from siftstream.agents.fetch.intake import Arrival, acknowledging, arrivals
from siftstream.schemas import DataUri
from siftstream.schemas.bulk import Unreadable, encode_many


class Raw:
    """A record as aiokafka gives it; a message as Faust does, when it carries others."""

    topic, partition, key, headers = "data-uris", 1, None, (("from", b"camera"),)

    def __init__(self, offset: int, value: bytes | None, records: list[Raw] | None = None) -> None:
        self.offset, self.value, self.timestamp = offset, value, 1500
        if records is not None:
            self.records = records


class Event:
    def __init__(self, message: Raw) -> None:
        self.message = message


def one(name: str) -> DataUri:
    return DataUri(uri=f"file:///{name}", sample_id=name, event_time=1.0)


def uris(came: list[Arrival]) -> list[str]:
    return [arrival.found.uri if isinstance(arrival.found, DataUri) else "!" for arrival in came]


def test_a_record_of_one_uri_is_one_arrival_with_its_own_bytes() -> None:
    (arrival,) = arrivals(Event(Raw(7, one("a").encode())))
    assert arrival.found == one("a")
    assert (arrival.record.offset, arrival.record.value) == (7, one("a").encode())


def test_an_array_gives_each_uri_a_record_of_its_own() -> None:
    came = arrivals(Event(Raw(7, encode_many([one("a"), one("b")]))))
    assert uris(came) == ["file:///a", "file:///b"]
    record = came[1].record
    assert DataUri.decode(record.value) == one("b")
    assert (record.key, record.offset, record.headers) == (b"b", 7, (("from", b"camera"),))


def test_a_bunch_gives_the_records_their_own_offsets() -> None:
    carried = [Raw(5, one("a").encode()), Raw(6, encode_many([one("b"), one("c")]))]
    came = arrivals(Event(Raw(6, b"", carried)))
    assert uris(came) == ["file:///a", "file:///b", "file:///c"]
    assert [arrival.record.offset for arrival in came] == [5, 6, 6]


def test_one_bad_element_stands_alone_with_its_own_bytes() -> None:
    value = b'[{"uri": "file:///a"}, {"url": "file:///b"}, 7, {"uri": "file:///c"}]'
    came = arrivals(Event(Raw(7, value)))
    assert uris(came) == ["file:///a", "!", "!", "file:///c"]
    assert came[1].record.value == b'{"url": "file:///b"}'
    assert came[2].record.value == b"7"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"[]", "an empty array"),
        (b'[{"uri": "file:///a"},', "not a readable JSON array"),
        (b"  [1", "not a readable JSON array"),
        (b"[" * 100_000, "not a readable JSON array"),
        (b"\xff\xfe", "Invalid JSON"),
        (None, "tombstone"),
    ],
)
def test_what_is_no_array_of_uris_is_refused_as_it_stood(value: bytes | None, reason: str) -> None:
    (arrival,) = arrivals(Event(Raw(7, value)))
    assert isinstance(arrival.found, Unreadable)
    assert reason in str(arrival.found.error)
    assert arrival.record.value == value


async def test_a_message_is_acknowledged_with_the_last_of_its_uris() -> None:
    acked: list[Any] = []

    async def ack(event: Any) -> None:
        acked.append(event)

    done = acknowledging(ack)
    first = Event(Raw(6, b"", [Raw(5, one("a").encode()), Raw(6, encode_many([one("b"), one("c")]))]))
    second = Event(Raw(7, one("d").encode()))
    a, b, c = (arrival.token for arrival in arrivals(first))
    (d,) = (arrival.token for arrival in arrivals(second))
    await done([c, a])
    assert acked == []
    await done([d, b])
    assert acked == [second, first]
