"""What becomes of what callers give: events of items, labels of words, answers of offers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from siftstream.connectors.client.asking import Hearing
from siftstream.connectors.client.connection import kafka_errors
from siftstream.connectors.client.entries import events_of
from siftstream.connectors.client.labelling import labels_of
from siftstream.connectors.client.pushing import TOGETHER_BYTES, records
from siftstream.schemas import DataUri, Label, LabelAction, Offer, Query, Reason, Selected
from siftstream.schemas.bulk import decode_many
from siftstream.schemas.errors import LabelError, LoadError, SchemaError, StrategyError, UnavailableError
from siftstream.schemas.ids import sample_id_of
from siftstream.streams.record import Record


def test_uris_paths_folders_events_and_mappings_become_events(tmp_path: Path) -> None:
    for name in ("a.png", "more/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    items: list[Any] = [
        "s3://cats/1.png",
        str(tmp_path / "a.png"),
        str(tmp_path / "more"),
        DataUri(uri="s3://cats/2.png", sample_id="two", event_time=7.0, metadata={"site": "north"}),
        {"uri": "s3://cats/3.png", "sample_id": "three", "event_time": 8.0, "camera": 3},
    ]
    found = list(events_of(items, metadata={"run": "1", "site": "south"}))
    files = [(tmp_path / name).as_uri() for name in ("a.png", "more/b.png")]
    assert [event.uri for event in found] == [
        "s3://cats/1.png", *files, "s3://cats/2.png", "s3://cats/3.png",
    ]  # fmt: skip
    assert [event.sample_id for event in found][2:] == [sample_id_of(files[1]), "two", "three"]
    assert found[3].metadata == {"run": "1", "site": "north"}
    assert found[4].metadata == {"run": "1", "site": "south", "camera": "3"}
    assert [event.event_time for event in found][3:] == [7.0, 8.0]


def test_one_value_an_item() -> None:
    uris = ["s3://cats/1.png", "s3://cats/2.png"]
    found = list(events_of(uris, [{"a": "1"}, {"a": "2"}], [0.0, 2.0], ["one", "two"]))
    assert [(e.sample_id, e.event_time, e.metadata["a"]) for e in found] == [
        ("one", 0.0, "1"), ("two", 2.0, "2"),
    ]  # fmt: skip
    with pytest.raises(SchemaError, match="1 values for 2 items"):
        list(events_of(uris, ids=["one"]))


def test_a_bare_uri_is_one_item() -> None:
    assert [event.uri for event in events_of("s3://cats/1.png")] == ["s3://cats/1.png"]


@pytest.mark.parametrize(
    ("item", "error", "told"),
    [
        ("no-such-file.png", LoadError, "item 2: no-such-file.png: no such file"),
        ({"url": "s3://x"}, SchemaError, "item 2: no text under `uri`"),
        ({"uri": "s3://cats/1.png", "sample_id": "x" * 600}, SchemaError, "item 2: sample_id"),
    ],
)
def test_an_item_that_makes_no_event_is_named(item: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        list(events_of(["s3://cats/1.png", item]))


def test_records_hold_every_event_once_and_none_is_too_large() -> None:
    events = [DataUri(uri=f"data:,{number}" + "x" * 50_000) for number in range(20)]
    made = list(records(events))
    assert [event for _, value in made for event in decode_many(value)] == events
    assert len(made) > 1
    assert all(len(value) <= TOGETHER_BYTES for _, value in made)


def test_every_form_of_a_label() -> None:
    chosen = Selected(
        sample_id="c", uri="s3://c", partition=0, round=0, round_size=1, rank=0, score=1.0, strategy="margin",
        reason=Reason.QUERY, position=0, seed=0,
    )  # fmt: skip
    whole = Label(sample_id="d", annotator="bob", label="cow")
    said = [
        *labels_of("a", "cat", annotator="ann"),
        *labels_of({"b": "dog"}, annotator="ann"),
        *labels_of([chosen, whole], "cat", annotator="ann"),
        *labels_of("e", skip=True, annotator="ann"),
    ]
    assert [(label.sample_id, label.annotator, label.label) for label in said] == [
        ("a", "ann", "cat"), ("b", "ann", "dog"), ("c", "ann", "cat"), ("d", "bob", "cow"),
        ("e", "ann", None),
    ]  # fmt: skip
    assert said[-1].action is LabelAction.SKIP


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"what": "a"}, "no label for a: give one, or skip=True"),
        ({"what": "", "label": "cat"}, "the label of '': sample_id"),
        ({"what": "a", "label": "kat"}, "label 'kat' of a is no class; did you mean cat"),
        ({"what": "a", "label": "zebra"}, "is no class: the classes are cat, dog"),
        ({"what": [Label(sample_id="a", annotator="b", label="kat")]}, "'kat' of a is no class"),
    ],
)
def test_a_label_that_cannot_be_one_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(LabelError, match=told):
        labels_of(classes=("cat", "dog"), **arguments)


class Cluster:
    """Names of topics and the number of partitions: all that hearing needs of a connection."""

    partitions = 2

    def topic(self, name: str) -> str:
        return name


def offer(partition: int, *scores: float, **more: Any) -> Record:
    made = Offer(
        query_id=more.pop("query_id", "q"), partition=partition, free=len(scores), seen=9, position=3,
        keys=tuple(range(len(scores))), scores=scores, comparable=True, **more,
    )  # fmt: skip
    return Record("offers", 0, 0, made.key, made.encode())


def chosen(sample_id: str, rank: int, query_id: str | None = "q") -> Record:
    made = Selected(
        sample_id=sample_id, uri=f"s3://{sample_id}", partition=0, round=0, round_size=1, rank=rank,
        score=1.0, strategy="margin", reason=Reason.QUERY, position=0, seed=0, query_id=query_id,
        metadata={"said": "q"},
    )  # fmt: skip
    return Record("selected", 0, 0, made.key, made.encode())


def hearing() -> Hearing:
    return Hearing(Query(query_id="q", budget=3), Cluster())  # type: ignore[arg-type]


def test_an_answer_is_over_when_as_many_came_as_were_decided_whatever_the_order() -> None:
    heard = hearing()
    heard.hear(chosen("b", 1))
    heard.hear(chosen("b", 1))  # delivered again by another owner
    heard.hear(offer(0, 0.9))
    heard.hear(chosen("x", 0, "other"))
    heard.hear(chosen("y", 0, None))
    heard.hear(Record("selected", 0, 0, b"z", None))  # a recall
    heard.hear(Record("selected", 0, 0, b"z", b"no JSON, with a q"))
    heard.hear(offer(1, 0.5, query_id="q2"))
    assert not heard.over
    assert heard.missing == "no answer from partition 1 within 60 s: does `siftstream worker select` run?"
    heard.hear(offer(1, 0.5))
    assert not heard.over
    assert heard.missing.startswith("1 of 2 chosen samples came, not all of partition 1, within 60 s")
    heard.hear(chosen("a", 0))
    assert heard.over
    assert (heard.answer.ids, heard.answer.free, heard.answer.complete) == (["a", "b"], 2, False)


def test_an_answer_without_samples_is_over_with_the_last_offer() -> None:
    heard = hearing()
    heard.hear(offer(0))
    heard.hear(offer(1))
    assert heard.over
    assert heard.answer.told == "0 of 3 samples, all that were free"


def test_a_refusal_ends_it() -> None:
    with pytest.raises(StrategyError, match="the query is refused: no head"):
        hearing().hear(offer(1, refused="no head"))


async def test_a_request_that_the_driver_drops_is_an_error_and_our_own_cancellation_goes_through() -> None:
    with pytest.raises(UnavailableError, match="Kafka at a:1 went away"), kafka_errors("a:1"):
        raise asyncio.CancelledError

    async def wait() -> None:
        with kafka_errors("a:1"):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
