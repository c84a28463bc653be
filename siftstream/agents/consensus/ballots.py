"""What annotators said, sample by sample: the latest word of each counts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from siftstream.schemas import Label, LabelAction, Reason, Selected, Slice, TrainingLabel, share_of
from siftstream.schemas.errors import LabelError


@dataclass(frozen=True)
class Origin:
    """How a sample came to be labelled."""

    uri: str
    audit: bool = False
    inclusion_probability: float | None = None

    @classmethod
    def of(cls, chosen: Selected) -> "Origin":
        """Read it from the selection."""
        return cls(chosen.uri, chosen.reason is Reason.AUDIT, chosen.inclusion_probability)


class Ballots:
    """Words by sample and annotator, and the one label that follows from them."""

    def __init__(self, classes: Sequence[str], holdout: float) -> None:
        """Args: the classes a label may name; the share of samples held out."""
        self._classes = tuple(classes)
        self._holdout = holdout
        self._words: defaultdict[str, dict[str, Label]] = defaultdict(dict)

    def check(self, label: Label) -> None:
        """Refuse a label that names no class of ours.

        Raises:
            LabelError: the class is unknown; the message names the nearest.
        """
        if label.action is LabelAction.LABEL and label.label not in self._classes:
            near = get_close_matches(label.label or "", self._classes, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(self._classes[:10])}"
            raise LabelError(f"labels: {label.label!r} is not a class of this pipeline{hint}")

    def hear(self, label: Label) -> None:
        """Take one word: it replaces what the same annotator said of the sample before."""
        self._words[label.sample_id][label.annotator] = label

    def resolve(self, sample_id: str, origin: Origin) -> TrainingLabel:
        """Return the sample's one label: the latest word that is one, none if all are skips or taken back."""
        words = [w for w in self._words[sample_id].values() if w.action is LabelAction.LABEL]
        latest = max(words, key=lambda word: word.labelled_at, default=None)
        return TrainingLabel(
            sample_id=sample_id, uri=origin.uri, label=latest.label if latest else None,
            slice=self._slice(sample_id, origin), inclusion_probability=origin.inclusion_probability,
            annotators=tuple(sorted(word.annotator for word in words)),
        )  # fmt: skip

    def _slice(self, sample_id: str, origin: Origin) -> Slice:
        if origin.audit:
            return Slice.AUDIT
        held_out = share_of(sample_id, "holdout") < self._holdout
        return Slice.HOLDOUT if held_out else Slice.TRAIN
