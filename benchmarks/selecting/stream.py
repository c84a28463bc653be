"""A stream of made-up scored samples as encoded records: new ids without end, numbers of a pool."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.zoo.made_up import read
from siftstream.schemas import Reason, Scores, Selected

EACH = 128  # samples a record
CLASSES = tuple("abcdefghij")
VERSION, UNTRAINED = "v1", "v0"
MARK = "@@@@@@@@"  # where a record of the pool has the number of the record


def id_of(sample: int) -> str:
    """Return the id of the sample that stands at a place of the stream.

    >>> id_of(130)
    '00000001-002'
    """
    return f"{sample // EACH:08d}-{sample % EACH:03d}"


class Stream:
    """The records of one partition, by offset; the same in every process."""

    def __init__(self, file: Path) -> None:
        """Args: a window of `benchmarks.zoo.made_up`, whose rows are the pool."""
        drawn = read(file)
        probs = np.ascontiguousarray(drawn.probs_BMC, np.float32)
        self._pool = [
            self._record(probs[at : at + EACH], drawn.emb_BD[at : at + EACH])
            for at in range(0, len(drawn) - EACH + 1, EACH)
        ]

    def value(self, offset: int) -> bytes:
        """Return a record as it stands in `scores`."""
        return self._pool[offset % len(self._pool)].replace(MARK.encode(), b"%08d" % offset)

    def values(self, samples: int, first: int = 0) -> Iterator[bytes]:
        """Yield the records from `first` on that hold at least so many samples."""
        return (self.value(first + number) for number in range(records(samples)))

    @staticmethod
    def _record(probs: np.ndarray, emb: np.ndarray) -> bytes:
        ids = [f"{MARK}-{row:03d}" for row in range(EACH)]
        return Scores(
            ids, [f"file:///data/{name}.jpg" for name in ids], 1e9 + np.arange(EACH),
            [{"camera": f"c{row % 7}"} for row in range(EACH)], probs, emb,
            model_version=VERSION, encoder="e",
        ).encode()  # fmt: skip


def records(samples: int) -> int:
    """Return how many records hold at least so many samples."""
    return -(-samples // EACH)


def chosen_before(samples: int, every: int, per_round: int) -> Iterator[Selected]:
    """Yield what rounds at chance would have chosen of the first samples, each from those since the last."""
    rng = np.random.default_rng(0)
    for number in range(samples // every):
        for rank, row in enumerate(rng.choice(every, min(per_round, every), replace=False).tolist()):
            name = id_of(number * every + row)
            yield Selected(
                sample_id=name, uri=f"file:///data/{name}.jpg", partition=0, round=number,
                round_size=per_round, rank=rank, score=0.5, strategy="random", reason=Reason.STRATEGY,
                model_version=VERSION, position=records((number + 1) * every) - 1, seen=(number + 1) * every,
                seed=0,
            )  # fmt: skip
