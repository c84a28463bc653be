"""What trainers tell each other and everybody: claimed runs, how they go on, and what people ask of them."""

import time
import uuid
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from siftstream.schemas.events import Event


class RunState(StrEnum):
    """How far a training run is."""

    CLAIMED = "claimed"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it."""
        return self in (RunState.DONE, RunState.FAILED, RunState.SUPERSEDED)


class Cause(StrEnum):
    """Why a run began."""

    LABELS = "labels"
    SCHEDULE = "schedule"
    DRIFT = "drift"
    COMMAND = "command"
    AGAIN = "again"


class Progress(BaseModel):
    """How far the trainer's child is.

    >>> Progress(phase="fit", step=50, steps=200, loss=0.7, remaining=4.2).share
    0.25
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    phase: str = Field(description="read, embed, fit, export, calibrate or judge.")
    epoch: int = Field(default=0, ge=0)
    epochs: int = Field(default=0, ge=0, description="0: not counted in epochs.")
    step: int = Field(default=0, ge=0)
    steps: int = Field(default=0, ge=0)
    loss: float | None = None
    remaining: float | None = Field(default=None, ge=0, description="Seconds left, by the pace so far.")

    @property
    def share(self) -> float:
        """The share of the steps that is done."""
        return self.step / self.steps if self.steps else 0.0


class TrainingRun(Event):
    """One training run of one trainer, as it stands; its name is that of the version it makes.

    A run begins with a claim. Claims are granted in the order of the log: one is granted if `after` names the
    run that was granted before it, so no two trainers learn the same labels for nothing.

    >>> TrainingRun(line="main", version="retrain-0-0001", trainer="retrain-0").key
    b'main/retrain-0-0001'
    """

    topic: ClassVar[str] = "training"

    line: str
    version: str
    trainer: str
    state: RunState = RunState.CLAIMED
    after: str | None = Field(default=None, description="The run granted before it, none for the first.")
    cause: Cause = Cause.LABELS
    token: str = Field(
        default="", description="What it answers: a drift's key, a command's id, a place of the schedule."
    )
    upto: tuple[int, ...] = Field(
        default=(), description="Offsets in `labelled`, a partition each, before which it learns from all."
    )
    labels: int = Field(default=0, ge=0, description="Usable labels in L when it was claimed.")
    progress: Progress | None = None
    reason: str = Field(default="", description="One sentence, where it failed or was superseded.")
    claimed_at: float = Field(
        default_factory=time.time, description="Seconds since the epoch, UTC; the same in all its records."
    )
    told_at: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")

    @property
    def key(self) -> bytes:
        """Line and version."""
        return f"{self.line}/{self.version}".encode()


class Action(StrEnum):
    """What a person, or a stage, asks for."""

    TRAIN = "train"
    PAUSE = "pause"
    RESUME = "resume"


class Command(Event):
    """Train now, ask nobody any more, or ask again; the last word about training and about asking counts.

    >>> Command(line="main", action=Action.PAUSE, why="the budget is spent").key
    b'main/asking'
    """

    topic: ClassVar[str] = "commands"

    line: str
    action: Action
    command_id: str = Field(default_factory=lambda: uuid.uuid4().hex, min_length=1, max_length=128)
    supersede: bool = Field(default=False, description="Stop runs under way and begin with all labels.")
    needs: dict[int, int] = Field(
        default_factory=dict,
        description="Offsets in `labelled`, by partition, before which the run must know all: one that does"
        " answers it, whatever it began for.",
    )
    why: str = Field(default="", description="One sentence.")
    by: str = Field(default="person", description="person, a stopping rule's name, drift, or select.")
    told_at: float = Field(default_factory=time.time, description="Seconds since the epoch, UTC.")

    @property
    def key(self) -> bytes:
        """Line, and whether it is about training or asking."""
        return f"{self.line}/{'training' if self.action is Action.TRAIN else 'asking'}".encode()
