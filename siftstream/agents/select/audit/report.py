"""The audit's figures: over all choices, or by model version, day or class."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal, TypeAlias

from siftstream.agents.select.audit.answers import Answer
from siftstream.models.estimate import LEVEL, Lift, Share, lift, share, weighted_share
from siftstream.models.settings import SPARE
from siftstream.schemas import Reason

By: TypeAlias = Literal["version", "day", "class"]


@dataclass(frozen=True)
class Counts:
    """How many choices there are of a kind, and what became of them."""

    chosen: int
    labelled: int
    skipped: int  # resolved without a label
    waiting: int  # nobody has answered yet


@dataclass(frozen=True)
class Figures:
    """What the audit says of one group of choices."""

    name: str
    audit: Counts
    strategy: Counts
    accuracy: Share  # of the model on the stream
    error: Share  # the same, the other way
    strategy_error: Share  # among what the strategy chose
    lift: Lift  # the strategy's error over the stream's
    untrained: int  # choices made before a model existed: in none of the figures

    def sentence(self) -> str:
        """Say what the lift comes to.

        >>> figures_of([], name="all").sentence()
        'no label of the audit yet: nothing can be said of the stream'
        """
        found, counted = self.lift, self.audit.labelled
        if not counted:
            return "no label of the audit yet: nothing can be said of the stream"
        if not self.strategy.labelled:
            return "no label of what the strategy chose yet: no lift"
        if not self.error.hits and not self.strategy_error.hits:
            return "the model was wrong nowhere: there is nothing to compare"
        unsure = ": no difference is shown yet" if found.low <= 1.0 <= found.high else ""
        if found.value is None:
            return (
                f"the model was wrong on none of {counted} random labels: a label of the strategy's taught it"
                f" something at least {found.low:.2f} times as often{unsure}"
            )
        limits = f"{found.low:.2f} to {found.high:.2f}" if found.high < inf else f"over {found.low:.2f}"
        return (
            f"a label of the strategy's taught the model something {found.value:.2f} times as often"
            f" as a random one ({limits}){unsure}"
        )


def reports(answers: Sequence[Answer], by: By | None = None, level: float = LEVEL) -> list[Figures]:
    """Return the figures over all choices, then those of each group.

    Args:
        answers: Every choice that stands.
        by: What to group by: the version that chose, the day (UTC) it chose on, or the class that people say
            a sample is of (samples without a label are in no class).
        level: Confidence of the intervals.
    """
    groups: dict[str, list[Answer]] = {}
    if by is not None:
        for answer in answers:
            name = _group(answer, by)
            if name is not None and _trained(answer):
                groups.setdefault(name, []).append(answer)
    names = sorted(groups) if by == "class" else list(groups)  # the others come in the order of time
    return [
        figures_of(answers, name="all", level=level),
        *(figures_of(groups[name], name=name, level=level) for name in names),
    ]


def figures_of(answers: Iterable[Answer], *, name: str, level: float = LEVEL) -> Figures:
    """Return the figures of a group of choices; only samples with a label count in shares."""
    every = list(answers)
    trained = [one for one in every if _trained(one)]
    audit = [one for one in trained if one.choice.reason is Reason.AUDIT and one.choice.chance]
    strategy = [one for one in trained if one.choice.reason is Reason.STRATEGY]
    drawn = [one for one in audit if one.label is not None]
    right, chances = [one.right for one in drawn], [one.choice.chance or 1.0 for one in drawn]
    error = weighted_share([not hit for hit in right], chances, level)
    wrong = share([not one.right for one in strategy if one.label is not None], level)
    return Figures(
        name, _counts(audit), _counts(strategy), weighted_share(right, chances, level), error, wrong,
        lift(wrong, error, level), len(every) - len(trained),
    )  # fmt: skip


def _counts(answers: Sequence[Answer]) -> Counts:
    labelled = sum(one.label is not None for one in answers)
    answered = sum(one.answered for one in answers)
    return Counts(len(answers), labelled, answered - labelled, len(answers) - answered)


def _trained(answer: Answer) -> bool:
    """Whether a trained model had said something of the sample."""
    choice = answer.choice
    return choice.prediction is not None and choice.version.rpartition("/")[2] not in ("", SPARE)


def _group(answer: Answer, by: By) -> str | None:
    match by:
        case "version":
            return answer.choice.version
        case "day":
            return time.strftime("%Y-%m-%d", time.gmtime(answer.choice.selected_at))
        case "class":
            return answer.label
