"""One device batch through the model: scores for what it can judge, a reason for each other sample."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.models.loaded import LoadedModel
from siftstream.schemas import Features, Scores
from siftstream.schemas.arrays import Arrays, joined, rows
from siftstream.schemas.errors import BadRecord, InferenceError
from siftstream.streams.emit import check_sizes
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.work import Work

Batch = tuple[Record, Features]


@dataclass(frozen=True)
class _Judged:
    """Rows that the model could judge, with what it said, and the reasons of the others."""

    good: NDArray[np.intp]
    probs_BMC: NDArray[np.float32]
    emb_BD: NDArray[np.float32]
    bad: dict[int, InferenceError]


def score(model: LoadedModel, batches: Sequence[Batch]) -> Work:
    """Return the scores of these micro-batches, one record for each, on the same partitions.

    A sample that the model cannot judge becomes a dead letter of its own, a micro-batch of one.
    """
    try:
        inputs = joined([features.inputs for _, features in batches])
    except ValueError:  # of two configurations of fetch: each by itself
        work = Work()
        for batch in batches:
            work += score(model, [batch])
        return work
    judged = _judged(model, inputs, np.arange(sum(len(features) for _, features in batches)))
    work, start = Work(), 0
    for record, features in batches:
        _add(work, model, record, features, judged, start)
        start += len(features)
    return work


def _judged(model: LoadedModel, inputs: Arrays, which: NDArray[np.intp]) -> _Judged:
    """Run the rows; where the model fails halve them until each bad one stands alone."""
    whole = len(which) == len(next(iter(inputs.values())))
    try:
        probs, emb = model.predict(inputs if whole else rows(inputs, which))
        if not np.isfinite(probs).all():
            raise InferenceError(f"model {model.version} answered with a number that is not finite")
        return _Judged(which, probs, emb, {})
    except InferenceError as error:
        if len(which) == 1:
            nothing = np.zeros((0, model.head.members, model.head.classes), np.float32)
            return _Judged(
                which[:0], nothing, np.zeros((0, model.head.dim), np.float32), {int(which[0]): error}
            )
    half = len(which) // 2
    first, second = _judged(model, inputs, which[:half]), _judged(model, inputs, which[half:])
    return _Judged(
        np.concatenate([first.good, second.good]),
        np.concatenate([first.probs_BMC, second.probs_BMC]),
        np.concatenate([first.emb_BD, second.emb_BD]),
        first.bad | second.bad,
    )


def _add(
    work: Work, model: LoadedModel, record: Record, features: Features, judged: _Judged, start: int
) -> None:
    """Add one micro-batch's scores and dead letters; its samples are the rows from `start` on."""
    end = start + len(features)
    low, high = (int(place) for place in np.searchsorted(judged.good, [start, end]))
    if high > low:
        _add_scores(work, model, record, features, judged, start, low, high)
    for row in range(start, end):
        if row in judged.bad:
            work.refuse(_alone(record, features, row - start), judged.bad[row])


def _add_scores(
    work: Work, model: LoadedModel, record: Record, features: Features, judged: _Judged,
    start: int, low: int, high: int,
) -> None:  # fmt: skip
    """Add the scores of the judged rows from `low` to `high`; halved where a record would be too large."""
    kept: list[int] = (judged.good[low:high] - start).tolist()
    scores = Scores(
        sample_ids=[features.sample_ids[row] for row in kept],
        uris=[features.uris[row] for row in kept],
        event_times=features.event_times[kept],
        metadata=[features.metadata[row] for row in kept],
        probs=judged.probs_BMC[low:high],
        embeddings=_half(judged.emb_BD[low:high]),
        model_version=model.version,
        encoder=model.encoder.sha256,
    )
    output = Outgoing(Scores.topic, scores.encode(), partition=record.partition)
    try:
        check_sizes([output])
        work.outputs.append(output)
    except BadRecord as error:
        if len(kept) == 1:
            work.refuse(_alone(record, features, kept[0]), error)
            return
        middle = (low + high) // 2
        _add_scores(work, model, record, features, judged, start, low, middle)
        _add_scores(work, model, record, features, judged, start, middle, high)


def _alone(record: Record, features: Features, row: int) -> Record:
    """Return the record as if it had held this one sample."""
    if len(features) == 1:
        return record
    one = Features(
        sample_ids=[features.sample_ids[row]], uris=[features.uris[row]],
        event_times=features.event_times[row : row + 1], metadata=[features.metadata[row]],
        inputs=rows(features.inputs, slice(row, row + 1)), contents=[features.contents[row]],
    )  # fmt: skip
    return replace(record, value=one.encode())


def _half(embeddings: Any) -> Any:
    """Embeddings travel as float16; what is beyond its range is brought to its edge."""
    limit = np.finfo(np.float16).max
    return np.clip(embeddings, -limit, limit).astype(np.float16)
