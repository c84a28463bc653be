"""Finding a sample in the bytes of records."""

from __future__ import annotations

import json

import numpy as np
import pytest

from siftstream.schemas import DataUri, Scores, sample_id_of
from siftstream.schemas.bulk import encode_many
from siftstream.schemas.errors import ConfigError
from siftstream.streams.record import Record
from siftstream.streams.story.rows import names_of, pushed, scored
from siftstream.streams.story.which import Meant


@pytest.mark.parametrize(
    "value",
    [
        b'{"uri": "file:///a", "sample_id": "needle"}',
        b'{"uri": "file:///a", "sample_id": "\\u006eeedle"}',
        encode_many([DataUri(uri="file:///b"), DataUri(uri="file:///a", sample_id="needle")]),
    ],
)
def test_an_id_is_found_however_the_json_is_written(value: bytes) -> None:
    assert "needle" in [one.sample_id for one in pushed(value, "needle")]


def test_a_sample_without_an_id_is_found_by_that_of_its_uri() -> None:
    beside = json.dumps([{"uri": "file:///a"}, {"uri": "file:///b", "sample_id": "x"}]).encode()
    name = sample_id_of("file:///a")
    assert name in [one.sample_id for one in pushed(beside, name)]


def test_scores_are_the_mean_of_the_members_the_likeliest_first() -> None:
    probs = np.array([[[0.2, 0.8], [0.4, 0.6]]], np.float32)
    batch = Scores(["a"], ["file:///a"], np.zeros(1), [{}], probs, np.zeros((1, 2), np.float16), "v1", "e")
    found = scored(Scores, batch.encode(), 0, ["cat", "dog"])
    assert list(found.probabilities) == ["dog", "cat"]
    assert found.probabilities["dog"] == pytest.approx(0.7, abs=1e-5)
    assert list(scored(Scores, batch.encode(), 0, ["one"]).probabilities) == ["1", "0"]


@pytest.mark.parametrize("topic", ["data-uris", "features", "scores", "labels", "dead-letters"])
@pytest.mark.parametrize("value", [None, b"", b"junk\xff", b"[", b"[]"])
def test_junk_names_no_sample_and_breaks_nothing(topic: str, value: bytes | None) -> None:
    assert names_of(topic, Record(topic, 0, 0, None, value), "a") == []


def test_the_whole_id_beats_longer_ones_that_begin_with_it() -> None:
    meant = Meant("img-1…")
    meant.hear([("img-10", ""), ("img-1", ""), ("img-11", "")])
    assert meant.only() == "img-1"


def test_a_beginning_of_several_ids_is_refused_with_their_names() -> None:
    meant = Meant("img")
    meant.hear([(f"img-{number}", "") for number in range(9)])
    with pytest.raises(ConfigError, match=r"'img' begins several ids: img-0, .* and others; give more of it"):
        meant.only()


def test_a_uri_names_the_sample_whatever_id_its_producer_gave() -> None:
    meant = Meant("file:///a")
    meant.hear([("seven", "file:///a"), ("file:///a/b", "")])
    assert meant.only() == "seven"
