"""One micro-batch's part of a judged device batch: its scores and dead letters."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from siftstream.agents.infer.judging import Judged
from siftstream.schemas import Features, Scores
from siftstream.schemas.arrays import rows
from siftstream.schemas.errors import BadRecord
from siftstream.streams.emit import check_sizes
from siftstream.streams.record import Outgoing, Record
from siftstream.streams.work import Work


@dataclass(frozen=True)
class Part:
    """What a line of models said of one micro-batch."""

    line: str
    said: Judged  # of the whole device batch
    record: Record
    features: Features  # what the record holds
    start: int  # the row of its first sample in the device batch
    again: bool = False  # scored anew on request

    def work(self, kind: type[Scores] = Scores) -> Work:
        """Return the scores as records of that kind's topic, on the same partition, and the dead letters.

        A sample that the model could not judge becomes a dead letter of its own, a micro-batch of one.
        """
        work, end = Work(), self.start + len(self.features)
        low, high = np.searchsorted(self.said.good, [self.start, end]).tolist()
        if high > low:
            self._add(work, kind, low, high)
        for row in range(self.start, end) if self.said.bad else ():
            if row in self.said.bad:
                work.refuse(self._alone(row), self.said.bad[row])
        return work

    def _add(self, work: Work, kind: type[Scores], low: int, high: int) -> None:
        """Add the good from place `low` to `high`; halved where a record would be too large."""
        scores = self._scores(kind, low, high)
        output = Outgoing(kind.topic, scores.encode(), partition=self.record.partition)
        try:
            check_sizes([output])
            work.outputs.append(output)
        except BadRecord as error:
            if high - low == 1:
                work.refuse(self._alone(int(self.said.good[low])), error)
                return
            middle = (low + high) // 2
            self._add(work, kind, low, middle)
            self._add(work, kind, middle, high)

    def _scores(self, kind: type[Scores], low: int, high: int) -> Scores:
        said, features = self.said, self.features
        kept: list[int] = (said.good[low:high] - self.start).tolist()
        return kind(
            sample_ids=[features.sample_ids[row] for row in kept],
            uris=[features.uris[row] for row in kept],
            event_times=features.event_times[kept],
            metadata=[features.metadata[row] for row in kept],
            probs=said.probs_BMC[low:high],
            embeddings=_half(said.emb_BD[low:high]),
            model_version=said.model.version,
            encoder=said.model.encoder.sha256,
            line=self.line,
            source=self.record.offset,
            again=self.again,
        )

    def _alone(self, row: int) -> Record:
        """Return the record as if it had held only the sample of this row of the device batch."""
        features, place = self.features, row - self.start
        if len(features) == 1:
            return self.record
        one = Features(
            sample_ids=[features.sample_ids[place]], uris=[features.uris[place]],
            event_times=features.event_times[place : place + 1], metadata=[features.metadata[place]],
            inputs=rows(features.inputs, slice(place, place + 1)), contents=[features.contents[place]],
        )  # fmt: skip
        return replace(self.record, value=one.encode())


def _half(embeddings: Any) -> Any:
    """Embeddings travel as float16; what is beyond its range is brought to its edge."""
    limit = np.finfo(np.float16).max
    return np.clip(embeddings, -limit, limit).astype(np.float16)
