"""Which samples a record is of, and one sample's row of a micro-batch, without decoding the rest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from siftstream.schemas import DataUri, Features, Scores, Shadow
from siftstream.schemas.arrays import ArraySpec, described
from siftstream.schemas.bulk import decode_many
from siftstream.streams.dead_letters import PREFIX
from siftstream.streams.record import Record
from siftstream.streams.story.found import Fetched, Scored

BATCHES = (Features.topic, Scores.topic, Shadow.topic)


def row_of(value: bytes | None, sample_id: str) -> int | None:
    """Return a sample's row in a micro-batch, by its id column alone; none where it is not in it.

    >>> batch = Features(["a", "b"], ["file:///a", "file:///b"], np.zeros(2), [{}, {}],
    ...     {"x": np.zeros((2, 1))}, [bytes(32)] * 2).encode()
    >>> row_of(batch, "b"), row_of(batch, "c"), row_of(b"junk", "b")
    (1, None, None)
    """
    ids = _column(value, "sample_id")
    names: list[str] = [] if ids is None else ids.to_pylist()
    return names.index(sample_id) if sample_id in names else None


def names_of(topic: str, record: Record, word: str) -> list[tuple[str, str]]:
    """Return the samples of a record as pairs of id and URI (empty: not told) that may be what `word` means.

    Args:
        topic: The design's name of its topic.
        record: The record.
        word: An id, the beginning of one, or a URI.
    """
    if topic == DataUri.topic:
        return [(one.sample_id, one.uri) for one in pushed(record.value, word)]
    if topic in BATCHES:
        ids, uris = _column(record.value, "sample_id"), _column(record.value, "uri")
        return (
            [] if ids is None or uris is None else list(zip(ids.to_pylist(), uris.to_pylist(), strict=True))
        )
    return [(record.key.decode(errors="replace"), "")] if record.key else []


def pushed(value: bytes | None, word: str) -> list[DataUri]:
    """Return the URIs of a `data-uris` record; none where its bytes show that it cannot hold the word.

    >>> [one.sample_id for one in pushed(b'[{"uri": "file:///a", "sample_id": "x1"}]', "x")]
    ['x1']
    >>> pushed(b'{"uri": "file:///a", "sample_id": "x1"}', "y")
    []
    """
    told = value is not None and value.count(b'"sample_id"') >= value.count(b'"uri"') > 0
    if value is None or (told and b"\\" not in value and word.encode() not in value):
        return []
    return [one for one in decode_many(value) if isinstance(one, DataUri)]


def died(letter: Record, origin: str, sample_id: str) -> bool:
    """Whether a dead letter, which came from the topic `origin` (design name), is of this sample."""
    if letter.key == sample_id.encode():
        return True
    if origin in BATCHES:
        return row_of(letter.value, sample_id) is not None
    if origin != DataUri.topic:
        return False
    return any(one.sample_id == sample_id for one in pushed(letter.value, sample_id))


def fetched(value: bytes | None, row: int) -> Fetched:
    """Return a row of a features micro-batch."""
    batch = Features.decode(value)
    what = described({name: ArraySpec(a.shape[1:], a.dtype) for name, a in batch.inputs.items()})
    return Fetched(batch.uris[row], what, batch.contents[row].hex())


def scored(kind: type[Scores], value: bytes | None, row: int, classes: Sequence[str]) -> Scored:
    """Return a row of a scores or shadow micro-batch."""
    batch = kind.decode(value)
    probs_C = batch.probs[row].mean(axis=0)
    names = list(classes) if len(classes) == len(probs_C) else [str(c) for c in range(len(probs_C))]
    order: list[int] = np.argsort(-probs_C, kind="stable").tolist()
    said = {names[c]: round(float(probs_C[c]), 6) for c in order}
    members = batch.probs.shape[1]
    return Scored(batch.uris[row], batch.model_version, batch.line, said, members, batch.source, batch.again)


def origin_of(letter: Record) -> str:
    """Return the topic that a dead letter came from, as the cluster names it."""
    return letter.header(f"{PREFIX}topic") or ""


def _column(value: bytes | None, name: str) -> Any:
    try:
        with pa.ipc.open_stream(value or b"") as reader:
            return reader.read_next_batch().column(name)
    except (pa.ArrowException, KeyError, ValueError, OSError, StopIteration):
        return None
