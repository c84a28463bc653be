"""The suite that every stopping rule must pass: a plug-in's whole test is `check_stopping(MyRule())`."""

from dataclasses import replace
from itertools import accumulate
from math import isfinite
from typing import Final

import numpy as np

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.conformance.rules import must
from siftstream.strategies.stopping.history import Audit, Evidence, History
from siftstream.strategies.stopping.rule import StoppingRule, Verdict
from siftstream.strategies.strategy import parameters_of

FIELD: Final[dict[Evidence, str]] = {
    Evidence.PREDICTIONS: "predictions",
    Evidence.AUDIT: "audits",
    Evidence.SCORES: "highest",
    Evidence.LABELS: "labels",
}


def check_stopping(rule: StoppingRule) -> None:
    """Hold a stopping rule to every check.

    Raises:
        AssertionError: what it breaks, and how.
    """
    for check in CHECKS:
        check(rule)


def make_history(seed: int, versions: int, *, samples: int = 50, classes: int = 3) -> History:
    """Return a random history of so many versions and rounds, of which each has what there is to have."""
    rng = np.random.default_rng(seed)
    totals = rng.integers(1, 400, versions)
    return History(
        tuple(rng.integers(classes, size=samples) for _ in range(versions)),
        tuple(Audit(int(rng.integers(total + 1)), int(total)) for total in totals),
        tuple(rng.random(versions).tolist()),
        tuple(accumulate(rng.integers(1, 50, versions).tolist())),
    )


def judged(rule: StoppingRule, history: History) -> Verdict:
    """Let it judge, and hold the verdict to what every verdict must be."""
    verdict = rule.check(history)
    must(isinstance(verdict, Verdict), f"check returned {type(verdict).__name__}, no Verdict")
    must(isinstance(verdict.stop, bool), f"stop is {verdict.stop!r}, no bool")
    must(verdict.value is None or isfinite(verdict.value), f"the value is {verdict.value}, no number")
    must(not (verdict.stop and verdict.value is None), "it stopped without a value")
    must(bool(verdict.reason.strip()), "it gave no reason")
    return verdict


def it_says_what_it_is(rule: StoppingRule) -> None:
    """Name, needs, cost, use and source are said, and each parameter is described."""
    kind = type(rule)
    for word in ("name", "family", "cost", "when", "source"):
        said = getattr(kind, word, None)
        must(isinstance(said, str) and bool(said.strip()), f"{kind.__name__}.{word} is not said")
    must(kind.needs <= rule.reads, f"{rule.name} reads less than it needs")
    must(bool(rule.reads), f"{rule.name} reads nothing")
    must(bool(kind.__doc__), f"{kind.__name__} has no docstring")
    fields = parameters_of(kind)
    for name, parameter in fields.items():
        must(bool(parameter.description), f"parameter {name} has no description")


def any_history_is_judged(rule: StoppingRule) -> None:
    """From one version to many, of one sample or one class too; the same history, the same verdict."""
    for versions in (1, 2, 3, 5, 12):
        for history in (
            make_history(versions, versions),
            make_history(versions, versions, samples=1),
            make_history(versions, versions, classes=1),
        ):
            must(judged(rule, history) == judged(rule, history), "two verdicts on one history")


def degenerate_histories_are_judged(rule: StoppingRule) -> None:
    """Empty audits, scores of 0 and below, no labels."""
    for score in (0.0, -1.0, 1e300):
        judged(rule, History((np.zeros(4, np.int64),) * 9, (Audit(0, 0),) * 9, (score,) * 9, (0,) * 9))


def what_it_lacks_is_refused(rule: StoppingRule) -> None:
    """Evidence that a history lacks is named in a refusal; what it does not need, it does not miss."""
    for evidence, field in FIELD.items():
        history = replace(make_history(0, 9), **{field: ()})
        try:
            rule.check(history)
        except StrategyError as error:
            must(evidence in rule.reads, f"it refused a history without {evidence}: {error}")
            must(evidence in str(error), f"the refusal does not name {evidence}: {error}")
        else:
            must(evidence not in rule.reads, f"it took a history without {evidence}, which it needs")


def inputs_are_not_written_to(rule: StoppingRule) -> None:
    """Predictions are the same afterwards."""
    history = make_history(1, 9)
    before = [version.copy() for version in history.predictions]
    judged(rule, history)
    same = all((was == now).all() for was, now in zip(before, history.predictions, strict=True))
    must(same, "predictions were written to")


CHECKS: Final = (
    it_says_what_it_is,
    any_history_is_judged,
    degenerate_histories_are_judged,
    what_it_lacks_is_refused,
    inputs_are_not_written_to,
)
