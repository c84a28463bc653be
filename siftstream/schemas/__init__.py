"""What travels: events, micro-batches, and the error tree."""

from siftstream.schemas.batches import BATCHES, MAX_SAMPLES, Features, MicroBatch, Scores, Shadow
from siftstream.schemas.events import (
    EVENTS,
    Artifact,
    DataUri,
    Event,
    Label,
    LabelAction,
    ModelInput,
    ModelVersion,
    Query,
    Reason,
    Selected,
    Slice,
    TrainingLabel,
    VersionStatus,
)
from siftstream.schemas.ids import sample_id_of, share_of

__all__ = [
    "BATCHES",
    "EVENTS",
    "MAX_SAMPLES",
    "Artifact",
    "DataUri",
    "Event",
    "Features",
    "Label",
    "LabelAction",
    "MicroBatch",
    "ModelInput",
    "ModelVersion",
    "Query",
    "Reason",
    "Scores",
    "Selected",
    "Shadow",
    "Slice",
    "TrainingLabel",
    "VersionStatus",
    "sample_id_of",
    "share_of",
]
