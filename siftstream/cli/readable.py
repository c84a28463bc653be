"""Records as lines for reading: one a sample, whatever the topic holds."""

import time
from collections.abc import Sequence

from siftstream.cli.trainers import how_far
from siftstream.schemas import (
    EVENTS,
    Action,
    Command,
    DataUri,
    Drift,
    Features,
    Label,
    ModelVersion,
    Offer,
    Query,
    Reread,
    RunState,
    Scores,
    Selected,
    Shadow,
    ShadowRound,
    Share,
    TrainingLabel,
    TrainingRun,
)
from siftstream.schemas.arrays import ArraySpec, described
from siftstream.schemas.bulk import Unreadable, decode_many
from siftstream.schemas.errors import SchemaError
from siftstream.streams.dead_letters import PREFIX
from siftstream.streams.dead_letters import TOPIC as DEAD_LETTERS
from siftstream.streams.record import Record

SHOWN_BYTES = 60
SHOWN_ID, SHOWN_URI, SHOWN_CLASSES = 12, 80, 3


def lines_of(topic: str, record: Record, classes: Sequence[str] = ()) -> list[str]:
    """Return a record as lines: when, where it stands, then what it says.

    Args:
        topic: The design's name of its topic.
        record: The record.
        classes: Names for the columns of probabilities.

    >>> value = b'{"sample_id": "a", "annotator": "ann", "label": "cat"}'
    >>> lines_of("labels", Record("labels", 2, 17, b"a", value))[0][13:]
    '2@17  a  cat  by ann'
    """
    when = (
        time.strftime("%H:%M:%S", time.localtime(record.timestamp))
        + f".{int(record.timestamp * 1000) % 1000:03d}"
    )
    place = f"{when} {record.partition}@{record.offset}"
    try:
        told = _told(topic, record, classes)
    except SchemaError as error:
        told = [f"not readable: {error}; begins {beginning(record.value)}"]
    return [f"{place}  {printable(line)}" for line in told]


def printable(words: str) -> str:
    """Escape what would break the line or steer the terminal.

    >>> printable("a\\nb \\x1b[31m")
    'a\\\\nb \\\\x1b[31m'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in words)


def _told(topic: str, record: Record, classes: Sequence[str]) -> list[str]:
    if topic == DEAD_LETTERS:
        return [dead_letter(record)]
    if topic == Features.topic:
        return features(Features.decode(record.value))
    if topic == Scores.topic:
        return scores(Scores.decode(record.value), classes)
    if topic == Shadow.topic:
        return scores(Shadow.decode(record.value), classes)
    if record.value is None:
        return [f"{short((record.key or b'').decode(errors='replace'))}  removed"]
    if topic == DataUri.topic:
        return [uri_line(found) for found in decode_many(record.value)]
    kinds = {event.topic: event for event in EVENTS}
    return [event_line(kinds[topic].decode(record.value))]


def dead_letter(record: Record) -> str:
    """What was refused, by whom, why, and its first bytes."""
    fact = {
        name: record.header(PREFIX + name) or "?"
        for name in ("stage", "type", "message", "topic", "partition")
    }
    place = f"{fact['topic']} {fact['partition']}@{record.header(PREFIX + 'offset')}"
    return f"{fact['stage']} refused {place}: {fact['type']}: {fact['message']}  | {beginning(record.value)}"


def features(batch: Features) -> list[str]:
    """A line a sample: id, arrays, URI."""
    what = described({name: ArraySpec(a.shape[1:], a.dtype) for name, a in batch.inputs.items()})
    return [
        f"{short(name)}  {what}  {uri(where)}"
        for name, where in zip(batch.sample_ids, batch.uris, strict=True)
    ]


def scores(batch: Scores, classes: Sequence[str]) -> list[str]:
    """A line a sample: id, likeliest classes, model version, URI."""
    probs_BC = batch.probs.mean(axis=1)
    names = classes if len(classes) == probs_BC.shape[1] else [str(c) for c in range(probs_BC.shape[1])]
    rows: list[list[float]] = probs_BC.tolist()
    lines: list[str] = []
    for name, where, row in zip(batch.sample_ids, batch.uris, rows, strict=True):
        guess = likeliest(dict(zip(names, row, strict=True)))
        lines.append(f"{short(name)}  {guess}  {batch.model_version}  {uri(where)}")
    return lines


def uri_line(found: DataUri | Unreadable) -> str:
    """One of the URIs of a record in one line."""
    if isinstance(found, Unreadable):
        return f"not readable: {found.error}; begins {beginning(found.value)}"
    notes = "".join(f"  {key}={value}" for key, value in found.metadata.items())
    return f"{short(found.sample_id)}  {uri(found.uri)}{notes}"


def event_line(event: object) -> str:
    """One event in one line."""
    match event:
        case Selected():
            why = f"{event.strategy} {event.score:.3f} ({event.reason})"
            where = f"round {event.round} #{event.rank + 1} of {event.round_size}"
            seen = f"{likeliest(event.probabilities)}  {event.model_version}"
            return f"{short(event.sample_id)}  {why}  {where}  {seen}  {uri(event.uri)}"
        case Label():
            word = event.label if event.label is not None else event.action.value
            return f"{short(event.sample_id)}  {word}  by {event.annotator}"
        case TrainingLabel():
            word = event.label if event.label is not None else "no label"
            who = ", ".join(event.annotators)
            return f"{short(event.sample_id)}  {word}  {event.slice}  by {who}  {uri(event.uri)}"
        case ModelVersion():
            numbers = "".join(f"  {name} {value:.4g}" for name, value in event.metrics.items())
            why = f"  {event.reason}" if event.reason else ""
            return f"{event.line}/{event.version}  {event.status}  {event.trained_on} labels{numbers}{why}"
        case Query():
            return (
                f"{event.query_id}  {event.budget} samples  {event.strategy or 'by the configured strategy'}"
            )
        case Offer():
            what = event.refused or f"{len(event.keys)} of {event.free} free by {event.strategy}"
            return f"{event.query_id}  partition {event.partition}: {what}"
        case Share():
            given = "".join(f"  {count} to {to}" for to, count in event.given.items())
            wants = f"  wants {event.wants}" if event.wants else ""
            return f"{event.account}  partition {event.partition}{given}{wants}"
        case Drift():
            moved = f"{event.statistic} {event.before:.3g} -> {event.after:.3g}"
            return f"partition {event.partition}  {moved}  since {event.model_version} ({event.detector})"
        case ShadowRound():
            what = event.refused or f"{len(event.sample_ids)} samples, {event.overlap:.0%} really chosen"
            return f"partition {event.partition} round {event.round}  {event.strategy}: {what}"
        case Reread():
            return f"partition {event.partition}  features {event.first} to {event.end} by {event.version}"
        case TrainingRun():
            state = how_far(event.progress) if event.state is RunState.RUNNING else event.state.value
            why = f"  {event.reason}" if event.reason else ""
            return f"{event.line}/{event.version}  {event.cause}  {event.labels} labels  {state}{why}"
        case Command():
            what = "asking" if event.action is not Action.TRAIN else "superseding" if event.supersede else ""
            why = f": {event.why}" if event.why else ""
            return f"{event.line}  {' '.join(filter(None, (event.action.value, what)))} by {event.by}{why}"
        case _:
            return str(event)


def likeliest(probabilities: dict[str, float]) -> str:
    """Name the likeliest classes.

    >>> likeliest({"cat": 0.2, "dog": 0.7, "cow": 0.1, "elk": 0.0})
    'dog 0.70 cat 0.20 cow 0.10'
    """
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])[:SHOWN_CLASSES]
    return " ".join(f"{name} {value:.2f}" for name, value in ranked)


def short(name: str) -> str:
    """Cut an id to what tells it apart in practice."""
    return name if len(name) <= SHOWN_ID else f"{name[:SHOWN_ID]}…"


def uri(words: str) -> str:
    """Cut a URI in its middle; names of files stand at the end."""
    if len(words) <= SHOWN_URI:
        return words
    return f"{words[:20]}…{words[-(SHOWN_URI - 21) :]}"


def beginning(value: bytes | None) -> str:
    """The first bytes of a record, unprintable ones escaped.

    >>> beginning(b"\\x89PNG junk")
    '\\\\x89PNG junk'
    """
    if value is None:
        return "(no value)"
    words = repr(value[:SHOWN_BYTES])[2:-1]
    return f"{words}… ({len(value)} bytes)" if len(value) > SHOWN_BYTES else words
