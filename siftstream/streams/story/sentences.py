"""What each record says of the sample, in words and as facts."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from siftstream.schemas import (
    DataUri,
    Label,
    LabelAction,
    ModelVersion,
    Query,
    Reason,
    Selected,
    TrainingLabel,
)
from siftstream.streams.story.found import Fetched, Recalled, Refused, Scored, ShadowChoice, What

SHOWN_CLASSES = 3
TRIGGERS = {
    "count": "so many new samples had come",
    "time": "its time had come",
    "demand": "the annotators' queue ran low",
    "query": "a query asked",
}


def sentence(what: What) -> str:
    """Say what a record tells of the sample.

    >>> sentence(Label(sample_id="a", annotator="ann", label="cat", duration=2.0))
    "ann says 'cat' (took 2.0 s)"
    """
    match what:
        case DataUri():
            notes = "".join(f"  {key}={value}" for key, value in what.metadata.items())
            return f"pushed: {what.uri}{notes}"
        case Fetched():
            return f"fetched: {what.inputs}, of bytes with sha256 {what.content[:12]}…"
        case Scored():
            return _scored(what)
        case Selected():
            return chosen(what)
        case Recalled():
            return "recalled: nobody had answered in time; it may be chosen again"
        case ShadowChoice():
            return (
                f"{what.strategy}, which only records, would have chosen it:"
                f" #{what.rank + 1} of {what.size} in round {what.round}"
            )
        case Label():
            return _word(what)
        case TrainingLabel():
            who = f" by {', '.join(what.annotators)}" if what.annotators else ""
            if not what.usable:
                return "resolved: no label (skipped or taken back)"
            return f"resolved: '{what.label}'{who}, slice {what.slice}, weight {what.weight:g}"
        case Refused():
            place = f"{what.place}, attempt {what.attempts}"
            return f"refused by {what.stage}: {what.error}: {what.message} ({place})"
        case Query():
            return f"query {what.query_id} asked for {what.budget} samples"
        case ModelVersion():
            return f"{what.line}/{what.version} published as {what.status}"


def chosen(one: Selected) -> str:
    """Say why a sample was chosen.

    >>> print(chosen(Selected(sample_id="a", uri="file:///a", partition=2, round=7, round_size=3, rank=0,
    ...     score=0.93, strategy="margin", reason="strategy", model_version="v3", model_line="main",
    ...     probabilities={"cat": 0.51, "dog": 0.44}, prediction="cat", position=21, seen=168, seed=5)))
    chosen by strategy margin (score 0.93), #1 of 3 in round 7 of partition 2, held because so many new
    samples had come; main/v3 said cat 0.51 dog 0.44; after 168 samples, scores@21, seed 5
    """
    if one.reason is Reason.AUDIT:
        why = "chosen for the audit, uniformly at random"
    elif one.reason is Reason.QUERY:
        why = f"chosen for query {one.query_id or '?'} by {one.strategy} (score {one.score:.4g})"
    else:
        how = "in the cold start by" if one.reason is Reason.COLD_START else "by strategy"
        why = f"chosen {how} {one.strategy} (score {one.score:.4g})"
    chance = f", chance {one.inclusion_probability:.4g}" if one.inclusion_probability is not None else ""
    rank = f"#{one.rank + 1} of {one.round_size}"
    place = (
        rank if one.reason is Reason.QUERY else f"{rank} in round {one.round} of partition {one.partition}"
    )
    due = "" if one.reason is Reason.QUERY else f", held because {TRIGGERS[one.trigger]}"
    model = f"{one.model_line}/{one.model_version}" if one.model_line else one.model_version or "no model"
    said = f"; {model} said {likeliest(one.probabilities) or one.prediction or 'nothing'}"
    seen = f"after {one.seen} samples, " if one.seen else ""
    return f"{why}{chance}, {place}{due}{said}; {seen}scores@{one.position}, seed {one.seed}"


def facts(what: What) -> dict[str, Any]:
    """Return all that a record tells, for machines."""
    if isinstance(what, DataUri | Selected | Label | TrainingLabel | Query | ModelVersion):
        return what.model_dump(mode="json", exclude_none=True, exclude={"schema_version"})
    return asdict(what)


def likeliest(probabilities: Mapping[str, float]) -> str:
    """Name the likeliest classes.

    >>> likeliest({"cow": 0.1, "cat": 0.2, "elk": 0.0, "dog": 0.7})
    'dog 0.70 cat 0.20 cow 0.10'
    """
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])[:SHOWN_CLASSES]
    return " ".join(f"{name} {value:.2f}" for name, value in ranked)


def _scored(what: Scored) -> str:
    model = f"{what.line}/{what.version}" if what.line else what.version
    again = " again, on request" if what.again else ""
    members = f", mean of {what.members} members" if what.members > 1 else ""
    source = f" (features@{what.source})" if what.source >= 0 else ""
    return f"scored{again} by {model}: {likeliest(what.probabilities)}{members}{source}"


def _word(what: Label) -> str:
    took = f" (took {what.duration:.1f} s)" if what.duration is not None else ""
    if what.action is LabelAction.LABEL:
        return f"{what.annotator} says '{what.label}'{took}"
    if what.action is LabelAction.SKIP:
        return f"{what.annotator} skips it{took}"
    return f"{what.annotator} takes the label back"
