"""What travels: events, micro-batches, and the error tree."""

from siftstream.schemas.batches import BATCHES, MAX_SAMPLES, Features, MicroBatch, Scores, Shadow
from siftstream.schemas.beside import Drift, Reread, ShadowRound
from siftstream.schemas.events import (
    Artifact,
    DataUri,
    Event,
    Label,
    LabelAction,
    ModelInput,
    ModelVersion,
    Reason,
    Selected,
    Slice,
    TrainingLabel,
    Trigger,
    VersionStatus,
)
from siftstream.schemas.ids import sample_id_of, share_of
from siftstream.schemas.judgement import Figure, Judgement
from siftstream.schemas.queries import Offer, Query
from siftstream.schemas.shares import Share
from siftstream.schemas.training import Action, Cause, Command, Progress, RunState, TrainingRun

EVENTS: tuple[type[Event], ...] = (
    DataUri, Selected, Label, TrainingLabel, ModelVersion, Query, Offer, Share, Drift, ShadowRound, Reread,
    TrainingRun, Command,
)  # fmt: skip

__all__ = [
    "BATCHES",
    "EVENTS",
    "MAX_SAMPLES",
    "Action",
    "Artifact",
    "Cause",
    "Command",
    "DataUri",
    "Drift",
    "Event",
    "Features",
    "Figure",
    "Judgement",
    "Label",
    "LabelAction",
    "MicroBatch",
    "ModelInput",
    "ModelVersion",
    "Offer",
    "Progress",
    "Query",
    "Reason",
    "Reread",
    "RunState",
    "Scores",
    "Selected",
    "Shadow",
    "ShadowRound",
    "Share",
    "Slice",
    "TrainingLabel",
    "TrainingRun",
    "Trigger",
    "VersionStatus",
    "sample_id_of",
    "share_of",
]
