"""Exhausted gain: what the strategy likes best among the unlabelled is hardly worth asking any more."""

from typing import ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from siftstream.strategies.stopping.history import Evidence, History
from siftstream.strategies.stopping.rule import StoppingRule, Verdict, too_early


@dataclass(frozen=True)
class ExhaustedGain(StoppingRule):
    """Stop where the highest scores of the last `rounds` rounds are all under a share of the first ones.

    The bar is `share` times the mean highest score of the first `rounds` rounds, or `threshold` where it is
    given: with entropy and a threshold near 0 this is the paper's max-confidence.

    >>> ExhaustedGain(rounds=2).check(History(highest=(0.9, 0.7, 0.3, 0.05, 0.04)))
    Verdict(stop=True, value=0.05, reason='the last 2 rounds had scores up to 0.05, under 0.08')
    """

    name: ClassVar[str] = "exhausted_gain"
    needs: ClassVar[frozenset[Evidence]] = frozenset({Evidence.SCORES})
    cost: ClassVar[str] = "rounds"
    when: ClassVar[str] = (
        "Where nothing but the strategy's scores is at hand; ambiguous samples keep an uncertainty score high"
        " for ever, so name a gain or a distance."
    )
    source: ClassVar[str] = (
        "Zhu, Wang and Hovy, Multi-criteria-based strategy to stop active learning for data annotation,"
        " COLING 2008, max-confidence; the share of the first rounds is an extension"
    )

    share: float = Field(default=0.1, gt=0.0, lt=1.0, description="Of the first rounds' highest scores.")
    threshold: float | None = Field(
        default=None, allow_inf_nan=False, description="Score under which to stop, in place of the share."
    )
    rounds: int = Field(default=3, gt=0, description="Rounds at the end that must be under it.")

    def judge(self, history: History) -> Verdict:
        """Compare the last rounds with the bar."""
        scores, bar = history.highest, self.threshold
        needed = self.rounds if bar is not None else 2 * self.rounds
        if len(scores) < needed:
            return too_early(len(scores), needed, "rounds")
        value = max(scores[-self.rounds :])
        if bar is None:
            first = sum(scores[: self.rounds]) / self.rounds
            if first <= 0.0:
                return Verdict(
                    False,
                    value,
                    f"the first scores average {first:.3g}, of which no share is lower: set a threshold",
                )
            bar = self.share * first
        stop = value < bar
        word = "under" if stop else "not under"
        return Verdict(
            stop, value, f"the last {self.rounds} rounds had scores up to {value:.3g}, {word} {bar:.3g}"
        )
