"""The client on a real broker; a stand-in answers as fetch, infer and select do."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from siftstream import AsyncClient, Client
from siftstream.schemas import Label, LabelAction
from siftstream.schemas.errors import ConfigError, StrategyError, UnavailableError
from siftstream.streams.partition import partition_of
from tests.connectors.client.records import records_of
from tests.connectors.client.stand_in import StandIn, score_of
from tests.connectors.topic import records_in

pytestmark = [pytest.mark.kafka]
FIVE = [f"s3://cats/{number}.png" for number in range(5)]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "SIFTSTREAM_CONFIG", "SIFTSTREAM_PIPELINE__NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(str(tmp_path))


@pytest.fixture
def line(broker: str, topic_prefix: str) -> Iterator[StandIn]:
    with StandIn(broker, topic_prefix) as running:
        yield running


@pytest.fixture
def client(broker: str, topic_prefix: str, line: StandIn) -> Iterator[Client]:
    with Client(broker, pipeline=topic_prefix) as made:
        yield made


def test_push_five_and_query_three(client: Client, line: StandIn) -> None:
    pushed = client.push_data(FIVE, asynchronous=True)
    answer = client.query(budget=3)
    best = sorted(pushed, key=score_of, reverse=True)[:3]
    assert answer.ids == best
    assert [sample.score for sample in answer] == [score_of(sample_id) for sample_id in best]
    assert [sample.rank for sample in answer] == [0, 1, 2]
    assert set(answer.uris) < set(FIVE)
    assert (answer.asked, answer.free, answer.complete) == (3, 5, True)
    assert pushed.scored == 5
    homes = {partition_of(sample_id, 4) for sample_id in pushed}
    assert line.queries[0].after.keys() == homes, "each partition must have taken in what was pushed"


def test_a_query_waits_for_what_was_pushed_and_says_so_when_it_is_not_scored(
    client: Client, line: StandIn
) -> None:
    line.scores = False
    client.push_data(FIVE, asynchronous=True)
    with pytest.raises(UnavailableError, match=r"0 of 5 samples scored; 5 not scored yet: .*worker fetch"):
        client.query(budget=3, timeout=1.5)
    assert line.queries == []


def test_a_budget_above_what_is_there_returns_all_and_says_so(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.push_data(FIVE)
    with caplog.at_level(logging.WARNING):
        answer = client.query(budget=100)
    assert sorted(answer.uris) == FIVE
    assert not answer.complete
    assert "5 of 100 samples, all that were free" in caplog.text
    assert client.query(budget=1).uris == [], "nothing is chosen twice"


def test_each_query_takes_what_the_others_left(broker: str, topic_prefix: str, line: StandIn) -> None:
    async def ask() -> list[str]:
        async with AsyncClient(broker, pipeline=topic_prefix) as client:
            await client.push_data([f"s3://cats/{number}" for number in range(60)])
            answers = await asyncio.gather(*(client.query(budget=20) for _ in range(3)))
            return [sample_id for answer in answers for sample_id in answer.ids]

    chosen = asyncio.run(ask())
    assert len(chosen) == len(set(chosen)) == 60


def test_a_dead_letter_is_told_with_its_reason_and_a_repeat_as_one(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        first = client.push_data([*FIVE[:2], "s3://cats/bad.png"])
    assert (first.scored, len(first.waiting)) == (2, 0)
    assert first.refused == {first[2]: "s3://cats/bad.png: no such file"}
    assert "1 refused: s3://cats/bad.png: no such file" in caplog.text
    second = client.push_data(FIVE[1:3], timeout=30)
    assert (second.scored, second.repeated, second.complete) == (1, {first[1]}, True)


def test_what_is_not_scored_in_time_stays_waiting(client: Client, line: StandIn) -> None:
    line.scores = False
    pushed = client.push_data(FIVE, timeout=0.5)
    assert (pushed.scored, pushed.waiting) == (0, set(pushed))


def test_many_travel_together_on_the_partition_of_each(
    broker: str, topic_prefix: str, client: Client
) -> None:
    uris = [f"s3://cats/{number}" for number in range(3000)]
    pushed = client.push_data(uris, asynchronous=True, metadata={"run": "1"})
    found = records_in(broker, f"{topic_prefix}.data-uris")
    assert sorted(sample_id for _, ids in found for sample_id in ids) == sorted(pushed)
    assert all(partition_of(sample_id, 4) == home for home, ids in found for sample_id in ids)
    assert len(found) <= 3000 / 128 + 8, "many in a record"


def test_partitions_that_are_silent_are_named(client: Client, line: StandIn) -> None:
    line.silent = {1, 3}
    with pytest.raises(
        UnavailableError, match=r"no answer from partitions 1, 3 within 1\.5 s: does .*select"
    ):
        client.query(budget=3, timeout=1.5)


def test_partitions_that_do_not_deliver_are_named(client: Client, line: StandIn) -> None:
    pushed = client.push_data(FIVE)
    line.late = {partition_of(pushed[0], 4)}
    with pytest.raises(UnavailableError, match=rf"not all of partition {min(line.late)}, within 2 s"):
        client.query(budget=5, timeout=2)


def test_a_refusal_is_one_sentence(client: Client, line: StandIn) -> None:
    line.refusal = "strategy margn is unknown; did you mean margin?"
    with pytest.raises(StrategyError, match="the query is refused: strategy margn is unknown"):
        client.query(budget=3, strategy="margn")
    with pytest.raises(StrategyError, match="no such query: budget"):
        client.query(budget=0)
    with pytest.raises(StrategyError, match="among: no sample to choose from"):
        client.query(budget=1, among=[])


def test_query_by_uri_chooses_only_among_these_and_returns_them_as_given(
    client: Client, line: StandIn
) -> None:
    client.push_data([f"s3://dogs/{number}" for number in range(20)])
    found = client.query_by_uri(FIVE, budget=3)
    assert len(found) == 3
    assert set(found) < set(FIVE)
    assert client.query_by_uri(input_uris=FIVE, budget=3) == sorted(
        set(FIVE) - set(found), key=lambda uri: -score_of(client.push(uri, asynchronous=True)[0])
    ), "a repeat may still be chosen where it was not"


def test_labels_land_on_their_samples_partition(broker: str, topic_prefix: str, client: Client) -> None:
    client.push_data(FIVE)
    answer = client.query(budget=1)
    client.label(answer[0], "cat", annotator="ann")
    client.label({"a": "cat", "b": None}, annotator="ann")
    client.label(["c", "d"], skip=True, annotator="ann")
    client.label([Label(sample_id="e", annotator="bob", label="dog")])
    found = [(record, Label.decode(record.value)) for record in records_of(broker, f"{topic_prefix}.labels")]
    said = {label.sample_id: (label.annotator, label.label or label.action) for _, label in found}
    assert said == {
        answer[0].sample_id: ("ann", "cat"), "a": ("ann", "cat"), "b": ("ann", LabelAction.SKIP),
        "c": ("ann", LabelAction.SKIP), "d": ("ann", LabelAction.SKIP), "e": ("bob", "dog"),
    }  # fmt: skip
    assert all(record.partition == partition_of(label.sample_id, 4) for record, label in found)


async def test_the_plain_client_works_inside_a_running_loop(client: Client) -> None:
    assert client.push_data(FIVE[0]).scored == 1
    assert len(client.query(budget=1)) == 1


def test_a_closed_client_connects_again(client: Client) -> None:
    assert client.push_data(FIVE[0]).scored == 1
    client.close()
    client.close()
    assert client.push_data(FIVE[1]).scored == 1


def test_a_script_without_with_ends_without_a_word(broker: str, topic_prefix: str, line: StandIn) -> None:
    script = (
        "from siftstream import Client\n"
        f"al_client = Client(server_url={f'http://{broker}'!r}, pipeline={topic_prefix!r})\n"
        f"al_client.push({FIVE!r}, asynchronous=True)\n"
        "print(al_client.query(budget=3))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.split(",")) == 3
    assert [w for w in ended.stderr.splitlines() if w] == []


def test_an_unknown_pipeline_is_told_with_the_known_ones(
    broker: str, topic_prefix: str, line: StandIn
) -> None:
    with (
        pytest.raises(ConfigError, match=f"no topic nobody.data-uris.*pipelines there: .*{topic_prefix}"),
        Client(broker, pipeline="nobody"),
    ):
        pass


def test_a_cluster_that_is_not_there_is_told() -> None:
    client = Client("127.0.0.1:1")
    with pytest.raises(UnavailableError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        client.query(budget=1)
    client.close()
