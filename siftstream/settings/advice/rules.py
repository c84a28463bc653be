"""The rules of the advice, one table: what is set, to what, when, and the sentence that says why.

They are read from top to bottom, and a later one overrides an earlier one that sets the same. What the
sentences claim was seen in our offline trials on text, spoken digits and images unless they name a paper.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from siftstream.settings.advice.questions import Answers
from siftstream.settings.advice.sizes import MOST, every, per_round, window

FEW: Final = 5  # a batch below this needs no spreading
LARGE: Final = 20  # members that agree on what to ask choose near-duplicates in batches from here on
MANY_CLASSES: Final = 100
MANY_LABELS: Final = 20
WIDE: Final = 2_048  # dimensions from which on distances take most of the time
NARROW: Final = 256
COMMITTEE: Final = 4  # members below this disagree by chance

Condition = Callable[[Answers], bool]


def members_tell(a: Answers) -> bool:
    """Whether to ask where members disagree: there are enough, and nothing speaks against it."""
    misled = a.calibrated == "no" or a.uneven or a.noisy or (a.drift and a.source == "stream")
    return a.task == "classes" and a.members >= COMMITTEE and not misled


@dataclass(frozen=True)
class Rule:
    """Where `when` holds, `sets` is `to`, because of `because`; `on` names the answer that it rests on.

    `{name}` in the sentence stands for an answer.
    """

    sets: str
    to: Any | Callable[[Answers], Any]
    because: str
    when: Condition = lambda a: True
    on: str = ""


# "doubt" as the strategy: the measure of doubt alone, unspread
RULES: Final[tuple[Rule, ...]] = (
    # --- the strategy once a trained model scores
    Rule(
        "strategy", "two_stage",
        "The unsure first, then spread over the embeddings: it needed 25 to 71 % of random's labels on text"
        " and speech, 83 to 108 % on images with weak features.",
    ),
    Rule(
        "strategy", "badge",
        "Labels are dear and computing is not: BADGE weighs doubt and variety in one step; it needed 50 to"
        " 95 % of random's labels.",
        when=lambda a: a.cost == "expensive" and a.compute == "high", on="cost",
    ),
    Rule(
        "strategy", "bald",
        "{members} members: BALD asks where they disagree, not where a sample is unclear to all"
        " (Houlsby et al. 2011); it was not part of our trials.",
        when=lambda a: members_tell(a) and per_round(a) < LARGE, on="members",
    ),
    Rule(
        "strategy", "power_bald",
        "{members} members and {batch} samples at a time: PowerBALD asks where members disagree, with enough"
        " chance to keep near-duplicates apart (Kirsch et al. 2023); it was not part of our trials.",
        when=lambda a: members_tell(a) and per_round(a) >= LARGE, on="members",
    ),
    Rule(
        "strategy", "two_stage",
        "Probabilities that are not calibrated mislead what computes with them (BALD, BADGE); this one only"
        " ranks by them, and spreads over the embeddings.",
        when=lambda a: a.calibrated == "no", on="calibrated",
    ),
    Rule(
        "strategy", "two_stage",
        "Classes are uneven, and this one can weigh doubt by class, which BALD and BADGE cannot.",
        when=lambda a: a.uneven, on="uneven",
    ),
    Rule(
        "strategy", "two_stage",
        "Outliers: within the unsure it takes the middle of each group, not its odd ones, which BADGE and"
        " k-center would seek.",
        when=lambda a: a.noisy, on="noisy",
    ),
    Rule(
        "strategy", "two_stage",
        "What comes changes: the new is unsure, and spreading keeps one new kind from taking all labels.",
        when=lambda a: a.drift and a.source == "stream", on="drift",
    ),
    Rule(
        "strategy", "doubt",
        "{batch} at a time need no spreading.",
        when=lambda a: a.batch < FEW and not members_tell(a), on="batch",
    ),
    Rule(
        "strategy", "doubt",
        "Little computing: one pass over the window; on text and speech it needed 37 to 67 % of random's"
        " labels.",
        when=lambda a: a.compute == "low", on="compute",
    ),
    Rule(
        "strategy", "doubt",
        "Easy to explain: one number a sample.",
        when=lambda a: a.explain, on="explain",
    ),
    Rule(
        "strategy", "doubt",
        "The model gives no embeddings to spread over.",
        when=lambda a: a.dim == 0, on="dim",
    ),
    Rule(
        "strategy", "bin_min",
        "Several labels at once: a sample is as unclear as that of its labels which is nearest to a coin"
        " toss.",
        when=lambda a: a.task == "multi-label", on="task",
    ),
    Rule(
        "strategy", "mean_max_loss",
        "Several labels at once, and labels are dear: it weighs the expected loss of all labels of a sample,"
        " not of one alone.",
        when=lambda a: a.task == "multi-label" and a.cost == "expensive", on="cost",
    ),
    Rule(
        "strategy", "mean_max_loss",
        "Several of {classes} labels at once: it weighs the expected loss of all of them; some single one is"
        " undecided in every sample.",
        when=lambda a: a.task == "multi-label" and a.classes >= MANY_LABELS, on="classes",
    ),
    Rule(
        "strategy", "score_column",
        "A class for each token: the stream carries one set of probabilities a sample, so let your tagger"
        " send its doubt (the smallest margin of a token, say) as metadata; this ranks by it.",
        when=lambda a: a.task == "sequence", on="task",
    ),
    Rule(
        "strategy", "score_column",
        "Numbers instead of classes: it ranks by a number that comes with each sample, in its metadata.",
        when=lambda a: a.task == "score", on="task",
    ),
    # --- the measure of doubt, alone or as the first of two stages
    Rule(
        "doubt", "margin",
        "Margin compares the two likeliest classes; entropy and least confidence chose worse than random"
        " while the model was young.",
    ),
    Rule(
        "doubt", "ratio",
        "Among {classes} classes the likeliest are all small and so are their gaps: their ratio still tells"
        " them apart.",
        when=lambda a: a.classes >= MANY_CLASSES, on="classes",
    ),
    Rule(
        "doubt", "margin",
        "Margin keeps its ranks where confidence is exaggerated alike everywhere; retraining fits a"
        " temperature besides.",
        when=lambda a: a.calibrated == "no" and a.classes < MANY_CLASSES, on="calibrated",
    ),
    Rule(
        "doubt", "margin",
        "The gap between the two likeliest classes is a number that a person understands.",
        when=lambda a: a.explain, on="explain",
    ),
    Rule(
        "class_weight", "balanced",
        "Classes are uneven: doubt about a rare class counts for more.",
        when=lambda a: a.uneven, on="uneven",
    ),
    # --- the second stage
    Rule("spread", "k_means", "k-means takes the middle of each group of alike samples."),
    Rule(
        "spread", {"name": "random_projection", "strategy": "k_means", "dim": NARROW},
        "{dim} dimensions are projected at random on 256, where distances hold within about 5 %, in a"
        " fraction of the time (Achlioptas 2003); k-means then takes the middle of each group.",
        when=lambda a: a.dim >= WIDE, on="dim",
    ),
    # --- before a model is trained
    Rule(
        "cold_start", "typiclust",
        "Typical samples of each group: 6 to 12 points more than random at 20 labels, where entropy and"
        " k-center were 5 to 10 below it at 60.",
    ),
    Rule(
        "cold_start", "typiclust",
        "Chooses only until the model that is there scores the window, and where the strategy lacks"
        " something.",
        when=lambda a: a.model, on="model",
    ),
    Rule(
        "cold_start", {"name": "random_projection", "strategy": "typiclust", "dim": NARROW},
        "Typical samples of each group of the whole window, by {dim} dimensions projected on 256.",
        when=lambda a: a.dim >= WIDE, on="dim",
    ),
    Rule(
        "cold_start", "k_means",
        "k-means starts about as well as TypiClust, and costs less.",
        when=lambda a: a.compute == "low", on="compute",
    ),
    Rule(
        "cold_start", "random",
        "Without embeddings and a trained model nothing tells samples apart.",
        when=lambda a: a.dim == 0, on="dim",
    ),
    # --- how many, when, out of how many
    Rule(
        "budget.per_round", per_round,
        "{batch} at a time; between 1 and 100 it mattered little for margin (.866 to .857).",
    ),
    Rule(
        "budget.per_round", per_round,
        "Labels are dear: at most 20 at a time, so that each batch is chosen by a model that knows the last.",
        when=lambda a: per_round(a) < a.batch, on="cost",
    ),
    Rule(
        "budget.total", lambda a: a.total,
        "{total} labels in all.",
        when=lambda a: a.total > 0, on="total",
    ),
    Rule(
        "trigger.every", every,
        "{samples} samples and {labels_a_day} labels a day: as often as people can keep up.",
    ),
    Rule(
        "trigger.every", every,
        "A pool of {samples}: its labels are spread over all of it. Push it at a --rate that people keep up"
        " with, so that the model learns in between.",
        when=lambda a: a.source == "pool", on="source",
    ),
    Rule(
        "window.size", window,
        "A partition's window holds what comes between two rounds, and 50 samples to each one chosen; 600"
        " were level with the whole pool.",
    ),
    Rule(
        "window.size", window,
        "The whole pool, whichever partition it lands on (up to 100,000 samples).",
        when=lambda a: a.source == "pool", on="source",
    ),
    Rule(
        "window.size", window,
        "Small, as what comes changes: a window of 300 followed speakers that came one after the other"
        " (.924 against random's .844).",
        when=lambda a: a.drift and a.source == "stream", on="drift",
    ),
    Rule(
        "window.size", window,
        "The last 100,000 before each round, for memory: what is older is never chosen from.",
        when=lambda a: a.source == "stream" and every(a) > MOST, on="samples",
    ),
    # --- the books
    Rule(
        "audit.fraction", 0.1,
        "A tenth at random keeps the accuracy honest; it says what the stream holds, no more.",
    ),
    Rule(
        "audit.fraction", 0.2,
        "For kinds that nobody has labelled no strategy helped: more at random, read as what the stream"
        " holds, shows when they come.",
        when=lambda a: a.unseen, on="unseen",
    ),
)  # fmt: skip
