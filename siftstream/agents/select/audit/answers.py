"""Choices and what became of them, as `selected` and `labelled` tell it."""

from dataclasses import dataclass
from typing import NamedTuple

from siftstream.schemas import Reason, Selected, TrainingLabel
from siftstream.streams.record import Record


class Choice(NamedTuple):
    """What is needed of one choice that stands."""

    sample_id: str
    reason: Reason
    version: str  # line/version, or the version where no line was told; empty: none
    prediction: str | None
    chance: float | None  # of having been drawn; none: not at random
    selected_at: float  # seconds since the epoch


@dataclass(frozen=True)
class Answer:
    """A choice with the label that it has now."""

    choice: Choice
    answered: bool  # there is a resolution, perhaps without a label
    label: str | None = None

    @property
    def right(self) -> bool:
        """Whether the model, when the sample was chosen, said what people say."""
        return self.label is not None and self.label == self.choice.prediction


class Answers:
    """A fold over both topics. Of each sample the last record under its key counts, in both: that is what
    compaction leaves, so the same log gives the same figures before and after it.
    """

    def __init__(self) -> None:
        self._choices: dict[str, Choice] = {}
        self._labels: dict[str, str | None] = {}
        self._recalled: set[str] = set()

    @property
    def recalled(self) -> int:
        """Samples whose last record is a recall; compaction removes them in the end."""
        return len(self._recalled)

    def hear_selected(self, record: Record) -> None:
        """Learn one choice, or that it was recalled.

        Raises:
            SchemaError: not a `Selected`.
        """
        if record.value is None:
            name = (record.key or b"").decode(errors="replace")
            self._choices.pop(name, None)
            self._recalled.add(name)
            return
        one = Selected.decode(record.value)
        self._recalled.discard(one.sample_id)
        version = f"{one.model_line}/{one.model_version}" if one.model_line else one.model_version or ""
        self._choices[one.sample_id] = Choice(
            one.sample_id, one.reason, version, one.prediction, one.inclusion_probability, one.selected_at
        )

    def hear_labelled(self, record: Record) -> None:
        """Learn one resolution.

        Raises:
            SchemaError: not a `TrainingLabel`.
        """
        one = TrainingLabel.decode(record.value)
        self._labels[one.sample_id] = one.label

    def all(self) -> list[Answer]:
        """Every choice that stands, with its answer, in the order of the choices."""
        ordered = sorted(self._choices.values(), key=lambda one: (one.selected_at, one.sample_id))
        return [
            Answer(one, one.sample_id in self._labels, self._labels.get(one.sample_id)) for one in ordered
        ]
