"""Delivery, on a producer that acknowledges when the test says so: nothing is taken for done before."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError

from siftstream.connectors import delivery
from siftstream.connectors.delivery import Delivery
from siftstream.schemas import DataUri
from siftstream.schemas.bulk import decode_many
from siftstream.schemas.errors import UnavailableError
from siftstream.streams.settings import KafkaSettings


class Sending:
    """kafka-python's future."""

    is_done = False

    def failed(self) -> bool:
        return False

    def get(self, timeout: float) -> None:
        if not self.is_done:
            raise KafkaTimeoutError(f"not within {timeout}")


class Producer:
    def __init__(self, **_: Any) -> None:
        self.sent: list[tuple[bytes, int | None, Sending]] = []
        self.refuses = False

    def partitions_for(self, _: str) -> set[int]:
        return {0, 1}

    def send(self, _: str, value: bytes, *, key: bytes | None, partition: int | None) -> Sending:
        if self.refuses:
            raise KafkaTimeoutError("away")
        self.sent.append((value, partition, Sending()))
        return self.sent[-1][2]

    def close(self, timeout: float) -> None:
        pass


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Producer]:
    found: list[Producer] = []

    def producer(**options: Any) -> Producer:
        found.append(Producer(**options))
        return found[-1]

    monkeypatch.setattr(delivery, "KafkaProducer", producer)
    return found


def going(together: int) -> Delivery:
    return Delivery(KafkaSettings(bootstrap_servers="here:1"), "uris", None, patience=0.01, together=together)


def uri(name: str) -> DataUri:
    return DataUri(uri=f"file:///{name}")


@pytest.mark.parametrize("together", [1, 128])
def test_two_events_of_one_mark_are_both_waited_for(made: list[Producer], together: int) -> None:
    sending = going(together)
    for name in ("a", "b"):
        sending.send(uri(name), b"mark")
    with pytest.raises(UnavailableError):
        sending.drain(0.01)
    made[0].sent[0][2].is_done = True
    sending.drain()
    assert len(sending) == sum(not future.is_done for _, _, future in made[0].sent)
    for _, _, future in made[0].sent:
        future.is_done = True
    sending.drain()
    assert (len(sending), sending.acknowledged) == (0, 2)


def test_what_cannot_leave_together_is_sent_again_whole(made: list[Producer]) -> None:
    sending = going(128)
    for number in range(300):
        sending.send(uri(str(number)), str(number).encode())
    made[0].refuses = True
    with pytest.raises(UnavailableError):
        sending.drain(0.01)
    assert len(sending) == 300
    sending.again()
    found = {
        one.uri for value, _, _ in made[1].sent for one in decode_many(value) if isinstance(one, DataUri)
    }
    assert found == {uri(str(number)).uri for number in range(300)}
    for _, _, future in made[1].sent:
        future.is_done = True
    sending.drain()
    assert (len(sending), sending.acknowledged) == (0, 300)
