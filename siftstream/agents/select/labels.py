"""The classes of samples that are labelled, and who was answered, as `labelled` tells it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from siftstream.agents.select.ids import Ids
from siftstream.schemas import Slice, TrainingLabel
from siftstream.streams.record import Record


class Labels:
    """A fold over `labelled`, partition by partition: classes of the training slice, and all answered ids.

    What is held out or audited stays unknown to every strategy. `news` holds the ids that were answered since
    `take_news` was called last.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._known: defaultdict[int, dict[str, int]] = defaultdict(dict)
        self._answered: defaultdict[int, Ids] = defaultdict(Ids)
        self._news: defaultdict[int, list[str]] = defaultdict(list)
        self._labelled_to: defaultdict[int, int] = defaultdict(int)

    def fold(self, record: Record) -> None:
        """Learn one resolution; a sample without a label that counts is forgotten, and answered all the same.

        Raises:
            SchemaError: not a `TrainingLabel`.
        """
        label = TrainingLabel.decode(record.value)
        known = self._known[record.partition]
        number = self._numbers.get(label.label or "")
        if number is None or label.slice is not Slice.TRAIN:
            known.pop(label.sample_id, None)
        else:
            known[label.sample_id] = number
        if label.usable and label.sample_id not in self._answered[record.partition]:
            self._labelled_to[record.partition] = record.offset + 1
        self._answered[record.partition].add(label.sample_id)
        self._news[record.partition].append(label.sample_id)

    def known(self, partition: int) -> Mapping[str, int]:
        """Class numbers of a partition's training samples by id."""
        return self._known[partition]

    def answered(self, partition: int) -> Ids:
        """Ids of a partition that were labelled or skipped."""
        return self._answered[partition]

    def labelled_to(self, partition: int) -> int:
        """The offset after the last label of a sample that had none; 0 where there is no label."""
        return self._labelled_to[partition]

    @property
    def training(self) -> int:
        """Samples of the training slice with a label, in all partitions that were read."""
        return sum(map(len, self._known.values()))

    def take_news(self, partition: int) -> list[str]:
        """Return the ids answered since this was asked last."""
        return self._news.pop(partition, [])
