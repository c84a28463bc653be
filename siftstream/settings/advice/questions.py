"""The decision checklist: what is asked, why it matters, when it need not be asked, and the answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from siftstream.schemas.errors import ConfigError

Task = Literal["classes", "multi-label", "sequence", "score"]
Source = Literal["stream", "pool"]
Cost = Literal["cheap", "expensive"]
Compute = Literal["low", "normal", "high"]
Calibrated = Literal["yes", "no", "unknown"]


class Answers(BaseModel):
    """What is known of the task; the defaults are those of a middling stream of images or texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Task = "classes"
    source: Source = "stream"
    samples: int = Field(default=100_000, ge=1, le=10_000_000_000)
    labels_a_day: int = Field(default=500, ge=1, le=100_000_000)
    total: int = Field(default=0, ge=0, le=1_000_000_000)
    batch: int = Field(default=20, ge=1, le=1_000)
    cost: Cost = "cheap"
    model: bool = False
    classes: int = Field(default=10, ge=2, le=1_000_000)
    uneven: bool = False
    calibrated: Calibrated = "unknown"
    members: int = Field(default=1, ge=1, le=1_000)
    dim: int = Field(default=512, ge=0, le=1_000_000)
    compute: Compute = "normal"
    explain: bool = False
    drift: bool = False
    noisy: bool = False
    unseen: bool = False
    partitions: int = Field(default=4, ge=1, le=100_000)
    column: str = Field(default="uncertainty", min_length=1)


@dataclass(frozen=True)
class Question:
    """One question: what is asked, why it matters, and whether earlier answers leave it open."""

    asks: str
    why: str
    when: Callable[[Answers], bool] = lambda answers: True


def _of_classes(answers: Answers) -> bool:
    return answers.task == "classes"


QUESTIONS: Final[dict[str, Question]] = {
    "task": Question(
        "What does the model say of a sample: one of several classes, several labels at once (multi-label),"
        " a class for each token (sequence), or numbers (score: detection, regression)?",
        "Each kind of output has its own measure of doubt.",
    ),
    "source": Question(
        "Do samples keep coming (stream), or are they all there (pool)?",
        "A stream needs a window that forgets; a pool one that holds everything.",
    ),
    "samples": Question(
        "How many samples come a day, or lie in the pool?",
        "With the labels a day it says how many samples there are to each label, and so when to choose.",
    ),
    "labels_a_day": Question(
        "How many labels can people give a day?", "Chosen samples that nobody labels grow stale."
    ),
    "total": Question(
        "How many labels will there be in all (0: no end)?", "The limit that no setting may go beyond."
    ),
    "batch": Question(
        "How many samples shall be chosen at a time?",
        "A large batch holds near-duplicates unless it is spread; one of a few needs no spreading.",
    ),
    "cost": Question(
        "Is a label cheap (seconds of anybody) or expensive (minutes of an expert)?",
        "Where labels are dear, more computing and smaller batches pay.",
    ),
    "model": Question(
        "Is there a trained model already?",
        "Without one its probabilities say nothing, and the first labels must be chosen by embeddings.",
    ),
    "classes": Question(
        "How many classes are there?",
        "Among many, the likeliest ones differ by little.",
        lambda answers: answers.task in ("classes", "multi-label"),
    ),
    "uneven": Question(
        "Is the commonest class more than five times as frequent as the rarest?",
        "Unweighted doubt asks mostly about common classes.",
        _of_classes,
    ),
    "calibrated": Question(
        "Are the model's probabilities calibrated?",
        "Strategies that compute with probabilities go wrong where they are overconfident; ranks do not.",
        _of_classes,
    ),
    "members": Question(
        "How many members has the head, or passes with dropout?",
        "Where members disagree the model does not know, instead of the sample being unclear.",
        _of_classes,
    ),
    "dim": Question(
        "How wide are the model's embeddings (0: it gives none)?",
        "They are what a batch is spread over; very wide ones make that slow.",
    ),
    "compute": Question(
        "How much computing may a choice take: low (one pass over the window), normal, or high?",
        "Spreading costs more than doubt alone: from milliseconds to seconds a round.",
    ),
    "explain": Question(
        "Must it be explained to somebody why a sample was chosen?",
        "One number that a person understands beats a slightly better rank.",
    ),
    "drift": Question(
        "Does what comes change by the hour or day (seasons, new sites, speakers)?",
        "Old samples in the window are then a waste of labels.",
        lambda answers: answers.source == "stream",
    ),
    "noisy": Question(
        "Are there many outliers: broken files, empty images, foreign content?",
        "Some strategies seek what is odd, and would choose these.",
    ),
    "unseen": Question(
        "Will kinds come that nobody has labelled (a new speaker, camera, customer)?",
        "No strategy helps there, and the accuracy must say so.",
    ),
    "partitions": Question(
        "How many partitions has the pipeline (pipeline.partitions)?",
        "Each chooses by itself among its own share of the samples.",
        lambda answers: answers.source == "pool",
    ),
    "column": Question(
        "Which number in the samples' metadata says how useful a label would be?",
        "The strategy ranks by it.",
        lambda answers: answers.task == "score",
    ),
}


def default_of(name: str) -> Any:
    """Return the answer of a question that nobody answers."""
    return Answers.model_fields[name].default


def choices(name: str) -> list[str]:
    """Return the words that answer a question, where they are few.

    >>> choices("cost"), choices("explain"), choices("batch")
    (['cheap', 'expensive'], ['yes', 'no'], [])
    """
    kind = Answers.model_fields[name].annotation
    return ["yes", "no"] if kind is bool else list(get_args(kind))


def shown(answer: Any) -> str:
    """Return an answer as a person says it.

    >>> shown(True), shown(100_000), shown("cheap")
    ('yes', '100,000', 'cheap')
    """
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return f"{answer:,}" if isinstance(answer, int) else str(answer)


def answers_of(said: Mapping[str, Any]) -> Answers:
    """Return the answers, those not said by default; words are read as numbers, yes and no.

    >>> answers_of({"batch": "5", "explain": "yes"}).batch
    5

    Raises:
        ConfigError: an answer that is none.
    """
    try:
        return Answers.model_validate(said)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where, what = fault["loc"][0], fault["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {what[:1].lower()}{what[1:]}; got {fault['input']!r}") from error
