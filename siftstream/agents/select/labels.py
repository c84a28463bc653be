"""The classes of samples that are labelled, as `labelled` tells it, for strategies that read them."""

from collections.abc import Mapping, Sequence

from siftstream.schemas import Slice, TrainingLabel
from siftstream.streams.record import Record


class Labels:
    """A fold over `labelled`: the class number of each sample in the training slice.

    What is held out or audited stays unknown to every strategy.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._known: dict[str, int] = {}

    def fold(self, record: Record) -> None:
        """Learn one resolution; a sample without a label that counts is forgotten.

        Raises:
            SchemaError: not a `TrainingLabel`.
        """
        label = TrainingLabel.decode(record.value)
        number = self._numbers.get(label.label or "")
        if number is None or label.slice is not Slice.TRAIN:
            self._known.pop(label.sample_id, None)
        else:
            self._known[label.sample_id] = number

    @property
    def known(self) -> Mapping[str, int]:
        """Class numbers by sample id."""
        return self._known
