"""What reaches select from outside while it runs: queries, answers, the clock."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaProducer

from siftstream import Client
from siftstream.schemas import Query, Reason, Selected, ShadowRound, Share, TrainingLabel
from siftstream.schemas.errors import StrategyError
from siftstream.settings import load_settings
from siftstream.strategies.uncertainty.margin import Margin
from siftstream.streams.partition import partition_of
from siftstream.streams.topics import ensure_topics
from tests.agents.select.stream import CLASSES, batch_of, records_of, write
from tests.line.workers import Line, closing, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

PARTITIONS = 4
MakeLine = Callable[..., Line]


@pytest.fixture
def make_line(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[MakeLine]:
    lines: list[Line] = []

    def make(**select: Any) -> Line:
        config: dict[str, Any] = {
            "pipeline": {"name": topic_prefix, "partitions": PARTITIONS},
            "kafka": {"bootstrap_servers": broker},
            "classes": list(CLASSES),
            "model": {"artifacts": str(tmp_path / "artifacts")},
            "select": {"strategy": {"name": "margin"}, "audit": {"fraction": 0.0}} | select,
            "state": str(tmp_path / "state"),
        }
        lines.append(Line(tmp_path, config))
        settings = load_settings(lines[-1].config)
        ensure_topics(settings.kafka, settings.pipeline)
        return lines[-1]

    try:
        yield make
    finally:
        for line in lines:
            for _ in closing(line):
                pass


def client_of(line: Line) -> Client:
    return Client(line.bootstrap, pipeline=line.prefix)


def chosen(line: Line) -> list[Selected]:
    return [Selected.decode(record.value) for record in line.records("selected") if record.value is not None]


def test_a_query_over_all_partitions_is_the_top_of_all_samples(make_line: MakeLine) -> None:
    line = make_line(window={"size": 20_000}, trigger={"every": None})
    records = [(p, batch) for p, batch in records_of(40_000, PARTITIONS)]
    write(line.bootstrap, line.topic("scores"), iter(records))
    scores: dict[str, float] = {}
    for _, batch in records:
        margins = Margin.of(batch.probs.mean(axis=1).astype(np.float64))
        for name, score in zip(batch.sample_ids, margins.tolist(), strict=True):
            scores.setdefault(name, score)  # the first in the log counts
    best = sorted(scores, key=lambda name: -scores[name])[:10_000]

    line.start("select-0")
    line.start("select-1")
    line.wait_through("select", 60)
    with client_of(line) as client:
        answer = client.query(budget=10_000)
        assert (len(answer), answer.free, answer.complete) == (10_000, len(scores), True)
        assert set(answer.ids) == set(best)
        assert [one.rank for one in answer] == list(range(10_000))
        assert [one.score for one in answer] == sorted((one.score for one in answer), reverse=True)

        rest = client.query(budget=50_000)  # more than there is
        assert not rest.complete
        assert len(rest) == len(scores) - 10_000
        assert not set(rest.ids) & set(answer.ids)
        assert len(client.query(budget=5)) == 0
        with pytest.raises(StrategyError, match="did you mean margin"):
            client.query(budget=5, strategy="margn")
    assert {one.reason for one in chosen(line)} == {Reason.QUERY}


def test_a_query_is_answered_whole_though_every_owner_dies_in_it(make_line: MakeLine) -> None:
    line = make_line(window={"size": 5_000}, trigger={"every": None})
    write(line.bootstrap, line.topic("scores"), records_of(10_000, PARTITIONS))
    names = ["select-0", "select-1"]
    for name in names:
        line.start(name)
    line.wait_through("select", 60)
    producer = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all")
    query = Query(query_id="under-fire", budget=2_000, strategy="badge", timeout=120.0)
    producer.send(line.topic("queries"), query.encode(), key=query.key).get(30)
    producer.close()

    def offers() -> int:
        return len(line.records("offers", partitions=1))

    for name in names:  # the first dies before it can have offered, the second once something was offered
        wait_for(lambda name=name: name == "select-0" or offers() > 0, 60, "an offer")
        line.kill(name, signal.SIGKILL)
        line.start(name)
    wait_for(lambda: len(chosen(line)) >= 2_000, 90, "the whole answer")
    found = chosen(line)
    assert sorted(one.rank for one in found) == list(range(2_000))
    assert len({one.sample_id for one in found}) == 2_000
    assert {one.query_id for one in found} == {"under-fire"}


def test_the_annotators_queue_is_kept_full_and_what_nobody_answers_is_recalled(make_line: MakeLine) -> None:
    line = make_line(
        window={"size": 1_000}, trigger={"every": None},
        outstanding={"low": 6, "high": 12, "ttl": 4.0}, budget={"reshare_after": 1.0},
    )  # fmt: skip
    write(line.bootstrap, line.topic("scores"), records_of(200, PARTITIONS, each=10))
    line.start("select-0")
    wait_for(lambda: len(chosen(line)) == 12, 60, "a full queue")

    producer = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all")
    first = chosen(line)
    for one in first:
        label = TrainingLabel(sample_id=one.sample_id, uri=one.uri, label="a")
        producer.send(line.topic("labelled"), label.encode(), key=label.key, partition=one.partition)
    producer.flush()
    producer.close()
    wait_for(lambda: len(chosen(line)) >= 24, 60, "the queue to be filled again")

    def recalled() -> list[Any]:
        return [record for record in line.records("selected") if record.value is None]

    wait_for(lambda: len(recalled()) >= 12, 60, "recalls")
    answered = {one.sample_id for one in first}
    assert not answered & {record.key.decode() for record in recalled()}
    standing: dict[str, Any] = {}
    for record in sorted(line.records("selected"), key=lambda r: (r.partition, r.offset)):
        name = record.key.decode()
        assert (name in standing) == (record.value is None), "asked twice, or recalled without being asked"
        if record.value is None:
            del standing[name]
        else:
            standing[name] = record
    waiting = standing.keys() - answered
    assert len(waiting) <= 12


def test_shadows_say_what_they_would_have_chosen(make_line: MakeLine) -> None:
    line = make_line(
        window={"size": 500}, trigger={"every": 100}, budget={"per_round": 5},
        strategy={"name": "margin", "shadow": ["entropy", {"name": "margin"}, "vote_entropy"]},
    )  # fmt: skip
    names = [f"s{number}" for number in range(1_000) if partition_of(f"s{number}", PARTITIONS) == 1]
    write(line.bootstrap, line.topic("scores"), iter([(1, batch_of(names[:100]))]))
    line.start("select-0")
    wait_for(lambda: len(line.records("shadow-selected")) == 3, 60, "the shadows")
    said = {one.strategy: one for one in (
        ShadowRound.decode(record.value) for record in line.records("shadow-selected"))}  # fmt: skip
    assert said["margin"].overlap == 1.0
    assert len(said["entropy"].sample_ids) == 5
    assert "needs members" in said["vote_entropy"].refused
    assert {one.strategy for one in chosen(line)} == {"margin"}


def test_the_only_partition_with_samples_gets_the_whole_total_and_not_one_more(make_line: MakeLine) -> None:
    line = make_line(
        window={"size": 1_000}, trigger={"every": 50},
        budget={"per_round": 5, "total": 42, "reshare_after": 0.5},
    )  # fmt: skip
    names = (name for name in map("s{}".format, count()) if partition_of(name, PARTITIONS) == 1)
    line.start("select-0")
    line.start("select-1")

    def spent() -> int:
        """Send a few more samples; tell how many were chosen so far."""
        write(line.bootstrap, line.topic("scores"), iter([(1, batch_of([*islice(names, 50)]))]))
        return len(chosen(line))

    wait_for(lambda: spent() > 12, 60, "more than the share of one partition")
    zombie = Share(account="epoch", partition=1, epoch=1 << 40)  # of an owner that is none any more
    producer = KafkaProducer(bootstrap_servers=line.bootstrap, acks="all")
    producer.send(line.topic("budget"), zombie.encode(), key=zombie.key).get(30)
    producer.close()
    wait_for(lambda: any("begins anew" in line.log(f"select-{n}") for n in (0, 1)), 30, "a new epoch")
    line.kill("select-0", signal.SIGKILL)
    line.start("select-0")
    wait_for(lambda: spent() == 42, 90, "the whole total")
    for _ in range(4):
        spent()
    line.wait_through("select", 60)
    assert len(chosen(line)) == 42
