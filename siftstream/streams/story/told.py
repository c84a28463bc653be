"""The story: every record of one sample in the order of time, its slice, and what is missing and why."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from siftstream.schemas import (
    DataUri,
    Label,
    ModelVersion,
    Reason,
    Selected,
    Slice,
    TrainingLabel,
    share_of,
)
from siftstream.streams.story.found import Fetched, Found, Looked, Recalled, Refused, Scored
from siftstream.streams.story.learned import Learned, learned
from siftstream.streams.story.sentences import facts, sentence

# The order in which a sample passes the topics: decides between records of the same moment.
ORDER: Final = (
    "data-uris", "features", "scores", "shadow", "queries", "shadow-selected", "selected", "labels",
    "labelled", "models", "dead-letters",
)  # fmt: skip
PASSED: Final = ("data-uris", "features", "scores", "selected")  # none of these can be left out


@dataclass(frozen=True)
class Moment:
    """One thing that happened to the sample."""

    at: float  # seconds since the epoch
    topic: str
    partition: int
    offset: int
    text: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Story:
    """All that the log tells of one sample."""

    sample_id: str
    uri: str
    state: str  # where it stands now, in words
    slice: str | None
    slice_reason: str
    moments: tuple[Moment, ...]
    versions: tuple[Learned, ...]
    missing: tuple[str, ...]


def story_of(
    sample_id: str, found: Sequence[Found], versions: Sequence[Found] = (),
    looked: Mapping[str, Looked] | None = None,
) -> Story:  # fmt: skip
    """Tell the story of a sample.

    Args:
        sample_id: The sample.
        found: Every record of it, those of one partition in their order.
        versions: The records of `models`, in their order.
        looked: How far each topic was looked at.

    >>> pushed = Found("data-uris", 0, 4, 10.0, DataUri(uri="file:///a.png", sample_id="a"))
    >>> told = story_of("a", [pushed])
    >>> told.state, told.moments[0].text
    ('pushed, not fetched yet', 'pushed: file:///a.png')
    """
    ordered = in_order(found)
    resolved = [one for one in ordered if isinstance(one.what, TrainingLabel)]
    words = [one.at for one in ordered if isinstance(one.what, Label)]
    models = [one.what for one in versions if isinstance(one.what, ModelVersion)]
    trained = learned(models, resolved, words)
    which, why = _slice(sample_id, ordered)
    return Story(
        sample_id, _uri(ordered), _state(ordered), which, why,
        tuple(_moments(ordered, versions, trained)), tuple(trained), tuple(_missing(ordered, looked or {})),
    )  # fmt: skip


def in_order(found: Sequence[Found]) -> list[Found]:
    """Sort by time; within a partition the log's order holds, whatever clocks its writers had."""
    latest: dict[tuple[str, int], float] = {}
    keyed: list[tuple[tuple[float, int, int], Found]] = []
    for one in sorted(found, key=lambda one: one.offset):
        place = (one.topic, one.partition)
        latest[place] = max(one.at, latest.get(place, 0.0))
        keyed.append(((latest[place], ORDER.index(one.topic), one.offset), one))
    return [one for _, one in sorted(keyed, key=lambda pair: pair[0])]


def _moments(found: Sequence[Found], versions: Sequence[Found], trained: Sequence[Learned]) -> list[Moment]:
    said = {f"{one.line}/{one.version}".encode(): one for one in trained}
    last = {one.what.key: one for one in versions if isinstance(one.what, ModelVersion)}
    told: list[Moment] = []
    chosen_before = False
    for one in in_order([*found, *(last[key] for key in said)]):
        text = sentence(one.what) + (f" ({one.note})" if one.note else "")
        about = facts(one.what)
        if isinstance(one.what, ModelVersion):
            mine = said[one.what.key]
            text, about = f"{text}: {mine.text}", {"part": mine.part, "began": mine.began}
        elif isinstance(one.what, Selected):
            text = f"chosen again{text.removeprefix('chosen')}" if chosen_before else text
            chosen_before = True
        told.append(Moment(one.at, one.topic, one.partition, one.offset, text, about))
    return told


def _uri(ordered: Sequence[Found]) -> str:
    kinds = (DataUri, Fetched, Scored, Selected, TrainingLabel, Label)
    return next((one.what.uri for one in ordered if isinstance(one.what, kinds) and one.what.uri), "")


def _slice(sample_id: str, ordered: Sequence[Found]) -> tuple[str | None, str]:
    labels = [one.what for one in ordered if isinstance(one.what, TrainingLabel)]
    choices = [one.what for one in ordered if isinstance(one.what, Selected)]
    place = f"place {share_of(sample_id, 'holdout'):.4f} of 0 to 1 by the hash of its id"
    if labels:
        which = labels[-1].slice
        why = {
            Slice.AUDIT: "chosen at random; it judges models and never trains one",
            Slice.HOLDOUT: f"held out ({place}); it judges models and never trains one",
            Slice.TRAIN: f"neither for the audit nor held out ({place})",
        }[which]
        return which.value, why
    if choices and choices[-1].reason is Reason.AUDIT:
        return Slice.AUDIT.value, "chosen at random for the audit, once it has a label"
    return None, "decided when it has a label"


def _state(ordered: Sequence[Found]) -> str:
    """Where it stands: the furthest thing that happened."""
    label = next((one.what for one in reversed(ordered) if isinstance(one.what, TrainingLabel)), None)
    choice = next((one.what for one in reversed(ordered) if isinstance(one.what, Selected | Recalled)), None)
    if label is not None:
        return f"labelled '{label.label}'" if label.usable else "answered, but without a label"
    if isinstance(choice, Selected):
        return "chosen, waits for an answer"
    if choice is not None:
        return "recalled, may be chosen again"
    if any(isinstance(one.what, Refused) for one in ordered):
        return "refused: it lies in dead-letters"
    topics = {one.topic for one in ordered}
    if "scores" in topics:
        return "scored, not chosen"
    if "features" in topics:
        return "fetched, not scored yet"
    if "labels" in topics:
        return "somebody said something of it, and it was not resolved yet"
    return "pushed, not fetched yet" if "data-uris" in topics else "not in the pipeline's own topics"


def _missing(ordered: Sequence[Found], looked: Mapping[str, Looked]) -> list[str]:
    """Say of each topic that the sample must have passed, and is not found in, why."""
    topics = {one.topic for one in ordered}
    reached = max((PASSED.index(topic) for topic in topics if topic in PASSED), default=0)
    told: list[str] = []
    for topic in PASSED[:reached]:
        if topic in topics:
            continue
        since = looked[topic].since if topic in looked else None
        if since is not None:
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
            told.append(f"{topic}: not there since {moment}; --since looks further back")
        elif topic in looked and looked[topic].first == 0:
            told.append(f"{topic}: not there, though nothing of it was deleted: another writer made the rest")
        else:
            told.append(f"{topic}: no longer in the log")
    return told
