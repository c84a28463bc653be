"""The story of a sample, told without Kafka."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from siftstream.schemas import (
    Artifact,
    DataUri,
    Label,
    ModelVersion,
    Reason,
    Selected,
    Slice,
    TrainingLabel,
)
from siftstream.streams.story.found import Fetched, Found, Looked, Recalled, Refused, Scored
from siftstream.streams.story.learned import learned
from siftstream.streams.story.told import in_order, story_of

URI = "file:///a.png"
FILE = Artifact(uri="file:///model", sha256="0" * 64, size=1)
PUSHED = Found("data-uris", 1, 4, 10.0, DataUri(uri=URI, sample_id="a"))
FETCHED = Found("features", 0, 2, 11.0, Fetched(URI, "image uint8 1x8x8", "ab" * 32))
SCORED = Found("scores", 0, 3, 12.0, Scored(URI, "v1", "main", {"cat": 0.6, "dog": 0.4}, 1, 2, False))


def chosen(offset: int, at: float, reason: Reason = Reason.STRATEGY, **more: Any) -> Found:
    one = Selected(
        sample_id="a", uri=URI, partition=0, round=7, round_size=3, rank=1, score=0.5, strategy="margin",
        reason=reason, position=3, seen=168, seed=5, model_line="main", model_version="v1", prediction="cat",
        probabilities={"cat": 0.6, "dog": 0.4}, **more,
    )  # fmt: skip
    return Found("selected", 0, offset, at, one)


def said(offset: int, at: float, who: str = "ann", **more: Any) -> Found:
    return Found("labels", 0, offset, at, Label(sample_id="a", annotator=who, **more))


def resolved(at: float, label: str | None = "cat", which: Slice = Slice.TRAIN) -> TrainingLabel:
    return TrainingLabel(
        sample_id="a", uri=URI, label=label, slice=which, resolved_at=at, annotators=("ann",)
    )


def stood(*labels: TrainingLabel) -> list[Found]:
    """Resolutions as they stand in the sample's partition: the first at offset 10, then 20, and so on."""
    return [Found("labelled", 1, 10 * n, one.resolved_at, one) for n, one in enumerate(labels, start=1)]


def version(name: str, began: float, **more: Any) -> ModelVersion:
    facts: dict[str, Any] = {"status": "live", "encoder": FILE, "head": FILE, "trained_on": 9, "pool_size": 9}
    return ModelVersion(
        line="main", version=name, classes=("cat", "dog"), created_at=began + 5.0, seconds=5.0, **facts | more
    )


def told(*found: Found) -> list[str]:
    return [moment.text for moment in story_of("a", found).moments]


def test_a_story_from_its_push_to_the_model_that_learned() -> None:
    labelled = Found("labelled", 0, 0, 15.0, resolved(15.0))
    model = Found("models", 0, 0, 25.0, version("v2", 20.0))
    words = said(0, 14.0, label="cat", duration=1.5)
    story = story_of("a", [labelled, words, chosen(0, 13.0), SCORED, FETCHED, PUSHED], [model])
    assert [moment.topic for moment in story.moments] == [
        "data-uris", "features", "scores", "selected", "labels", "labelled", "models",
    ]  # fmt: skip
    texts = [moment.text for moment in story.moments]
    assert texts[1] == "fetched: image uint8 1x8x8, of bytes with sha256 abababababab…"
    assert texts[2] == "scored by main/v1: cat 0.60 dog 0.40 (features@2)"
    assert texts[3].startswith("chosen by strategy margin (score 0.5), #2 of 3 in round 7 of partition 0")
    assert texts[3].endswith("main/v1 said cat 0.60 dog 0.40; after 168 samples, scores@3, seed 5")
    assert texts[4] == "ann says 'cat' (took 1.5 s)"
    assert texts[6] == "main/v2 published as live: its label 'cat' was in the pool when v2's training began"
    assert (story.state, story.slice, story.uri, story.missing) == ("labelled 'cat'", "train", URI, ())
    assert [(one.version, one.part) for one in story.versions] == [("v2", "learned")]
    assert json.loads(json.dumps(asdict(story)))["moments"][3]["facts"]["seed"] == 5


def test_recalled_and_chosen_again() -> None:
    recalled = Found("selected", 0, 1, 20.0, Recalled())
    texts = told(chosen(0, 13.0), recalled, chosen(2, 30.0, Reason.AUDIT, inclusion_probability=0.05))
    assert texts[1].startswith("recalled: nobody had answered in time")
    assert texts[2].startswith("chosen again for the audit, uniformly at random, chance 0.05")
    assert story_of("a", [chosen(0, 13.0), recalled]).state == "recalled, may be chosen again"


def test_the_order_of_a_partition_beats_the_clocks_of_its_writers() -> None:
    late_clock = [said(0, 50.0, label="cat"), said(1, 40.0, action="retract"), PUSHED]
    assert [one.offset for one in in_order(late_clock)] == [4, 0, 1]


def test_every_word_of_every_annotator_is_told_in_order() -> None:
    texts = told(
        said(0, 1.0, label="cat"), said(1, 2.0, "bob", action="skip"), said(2, 3.0, action="retract"),
        said(3, 4.0, "bob", label="dog"),
    )  # fmt: skip
    assert texts == ["ann says 'cat'", "bob skips it", "ann takes the label back", "bob says 'dog'"]


def test_a_query_is_told_by_its_id_and_rank() -> None:
    (text,) = told(chosen(0, 1.0, Reason.QUERY, query_id="q9", trigger="query"))
    assert text.startswith("chosen for query q9 by margin (score 0.5), #2 of 3; main/v1 said")


@pytest.mark.parametrize(
    ("began", "part"),
    [(14.9, None), (15.0, "learned"), (29.9, "learned"), (30.0, None), (39.9, None), (40.0, "judged")],
)
def test_a_version_learned_what_stood_when_its_training_began(began: float, part: str | None) -> None:
    labels = stood(resolved(15.0), resolved(30.0, None), resolved(40.0, "dog", Slice.HOLDOUT))
    found = learned([version("v2", began)], labels)
    assert [one.part for one in found] == ([part] if part else [])


@pytest.mark.parametrize(
    ("end", "part", "label"),
    [
        (10, None, None),
        (11, "learned", "cat"),
        (20, "learned", "cat"),
        (21, None, None),
        (31, "judged", "dog"),
    ],
)
def test_offsets_tell_exactly_what_a_version_knew_whatever_the_clocks_say(
    end: int, part: str | None, label: str | None
) -> None:
    labels = stood(resolved(99.0), resolved(98.0, None), resolved(97.0, "dog", Slice.HOLDOUT))
    found = learned([version("v2", began=50.0, upto=(7, end))], labels)
    assert [(one.part, one.label) for one in found] == ([(part, label)] if part else [])


def test_a_partition_that_a_version_does_not_speak_of_is_told_by_the_clocks() -> None:
    (one,) = learned([version("v2", 20.0, upto=(7,))], stood(resolved(15.0)))
    assert one.part == "learned"


def test_an_audit_sample_judges_and_never_trains() -> None:
    (one,) = learned([version("v2", 20.0)], stood(resolved(15.0, which=Slice.AUDIT)))
    assert one.part == "judged"
    assert one.text.endswith("chosen for the audit: to judge it, not to train it")


def test_imported_versions_learned_nothing_and_failed_ones_say_so() -> None:
    imported = version("v1", 20.0, trained_on=0, pool_size=0)
    failed = version("v2", 20.0, status="failed", encoder=None, head=None, trained_on=0)
    found = learned([imported, failed], stood(resolved(15.0)))
    assert [one.text for one in found] == [
        "its label 'cat' was in the pool when v2's training began, which failed"
    ]


def test_the_newest_record_of_a_version_counts_once() -> None:
    promoted = version("v2", 20.0, status="live")
    found = learned([version("v2", 20.0, status="candidate"), promoted], stood(resolved(15.0)))
    assert [one.status for one in found] == ["live"]


def test_what_compaction_took_away_is_not_guessed() -> None:
    (one,) = learned([version("v2", 20.0)], stood(resolved(30.0)), words=[14.0, 29.0])
    assert one.part == "perhaps"
    assert learned([version("v2", 20.0)], stood(resolved(30.0)), words=[29.0]) == []


def test_what_is_missing_says_whether_the_log_has_let_it_go() -> None:
    looked = {"features": Looked(first=40), "data-uris": Looked(first=0)}
    assert story_of("a", [SCORED], looked=looked).missing == (
        "data-uris: not there, though nothing of it was deleted: another writer made the rest",
        "features: no longer in the log",
    )
    (one,) = story_of("a", [PUSHED, SCORED], looked={"features": Looked(0, since=5.0)}).missing
    assert one.startswith("features: not there since ")
    assert story_of("a", [PUSHED], looked=looked).missing == ()


def test_where_a_sample_stands_is_the_furthest_it_came() -> None:
    dead = Found("dead-letters", 0, 0, 12.0, Refused("fetch", "LoadError", "gone", "data-uris 1@4", "1"))
    labelled = Found("labelled", 0, 0, 15.0, resolved(15.0, None))
    assert story_of("a", [PUSHED]).state == "pushed, not fetched yet"
    assert story_of("a", [PUSHED, dead]).state == "refused: it lies in dead-letters"
    assert story_of("a", [PUSHED, FETCHED]).state == "fetched, not scored yet"
    assert story_of("a", [PUSHED, SCORED]).state == "scored, not chosen"
    assert story_of("a", [SCORED, chosen(0, 13.0)]).state == "chosen, waits for an answer"
    assert story_of("a", [chosen(0, 13.0), labelled]).state == "answered, but without a label"
    assert told(dead) == ["refused by fetch: LoadError: gone (data-uris 1@4, attempt 1)"]
