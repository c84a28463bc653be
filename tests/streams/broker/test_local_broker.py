"""The real Kafka on this machine: it starts, keeps its records, comes back, and is never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker import LocalBroker, lock
from tests.streams.broker.deadline import gone, until

pytestmark = pytest.mark.kafka

TOPIC = "words"


def create(broker: LocalBroker) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        admin.create_topics({TOPIC: {"num_partitions": 1, "replication_factor": 1}})


def topics(broker: LocalBroker) -> set[str]:
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        return set(admin.list_topics())


def write(broker: LocalBroker, *words: bytes) -> None:
    with closing(
        KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", max_request_size=9 << 20)
    ) as producer:
        for future in [producer.send(TOPIC, word) for word in words]:
            future.get(timeout=20)


def read(broker: LocalBroker, count: int) -> list[bytes]:
    with closing(
        KafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", group_id=None)
    ) as consumer:
        consumer.assign([TopicPartition(TOPIC, 0)])
        found: list[bytes] = []

        def enough() -> bool:
            for records in consumer.poll(timeout_ms=200).values():
                found.extend(record.value for record in records)
            return len(found) >= count

        assert until(enough, within_s=20)
        return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    """Return a broker of its own: these tests kill it."""
    with LocalBroker(tmp_path / "data") as running:
        yield running


def test_it_takes_records_of_a_micro_batch_size_and_leaves_no_probe_behind(broker: LocalBroker) -> None:
    assert topics(broker) == set()
    create(broker)
    write(broker, b"one", bytes(8_000_000))
    assert [len(word) for word in read(broker, 2)] == [3, 8_000_000]


def test_it_listens_on_this_machine_alone(broker: LocalBroker) -> None:
    listening = [c for c in psutil.Process(broker.pid).net_connections("tcp") if c.status == "LISTEN"]
    assert len(listening) == 2
    assert {c.laddr.ip.removeprefix("::ffff:") for c in listening} == {"127.0.0.1"}


def test_a_second_start_on_the_same_data_keeps_the_records(tmp_path: Path) -> None:
    with LocalBroker(tmp_path / "data") as first:
        create(first)
        write(first, b"one", b"two")
        pid, log = first.pid, first.log_path
    assert gone(pid)
    with LocalBroker(tmp_path / "data") as second:
        assert read(second, 2) == [b"one", b"two"]
        assert second.log_path == log == tmp_path / "data" / "broker.log"
    assert log.read_text().count("Kafka Server started") == 2


def test_a_killed_broker_restarts_with_its_records_on_its_port(broker: LocalBroker) -> None:
    create(broker)
    write(broker, b"one", b"two")
    pid, bootstrap = broker.pid, broker.bootstrap
    broker.kill()
    assert gone(pid)
    assert not broker.alive
    broker.restart()
    assert broker.bootstrap == bootstrap
    assert read(broker, 2) == [b"one", b"two"]


def test_a_temporary_broker_takes_its_data_along_and_leaves_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with LocalBroker() as running:
        pid = running.pid
        assert len(list(tmp_path.iterdir())) == 1
    assert gone(pid)
    assert list(tmp_path.iterdir()) == []
    assert "Kafka Server started" in running.log_path.read_text()


def test_two_brokers_do_not_share_a_folder(
    broker: LocalBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WAIT_S", 0.2)
    with pytest.raises(
        BrokerError, match=r"Another broker runs on .*/data: stop it or choose another --data"
    ):
        LocalBroker(tmp_path / "data").start()
    create(broker)
    write(broker, b"one")
    assert read(broker, 1) == [b"one"]


def test_a_killed_keeper_leaves_no_jvm(broker: LocalBroker) -> None:
    os.kill(broker.keeper_pid, signal.SIGKILL)
    assert until(lambda: gone(broker.pid))
    assert broker.ended(within_s=5)


PARENT = """
import sys, time
from pathlib import Path
from siftstream.streams.broker import LocalBroker
running = LocalBroker(Path(sys.argv[1])).start()
print(running.pid, running.keeper_pid, flush=True)
time.sleep(600)
"""


def test_a_killed_parent_leaves_no_jvm(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "data")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    parent.stdout.close()
    assert len(pids) == 2
    assert not any(gone(pid) for pid in pids)
    parent.kill()
    parent.wait(10)
    with LocalBroker(tmp_path / "data") as successor:  # waits for the orphan's orderly end
        assert all(gone(pid) for pid in pids)
        assert successor.alive


def test_an_idle_broker_is_small(broker: LocalBroker) -> None:
    megabytes = psutil.Process(broker.pid).memory_info().rss >> 20
    assert megabytes < 350
    assert psutil.Process(broker.keeper_pid).memory_info().rss >> 20 < 30
