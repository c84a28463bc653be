"""The judgement: a candidate and the live model on the same held-out and audited samples, and the verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from siftstream.models.judging.answers import Answers
from siftstream.models.judging.figures import RECALL, Measured, figures_of
from siftstream.models.judging.gate import Weighed, weighed
from siftstream.models.judging.settings import GateSettings
from siftstream.schemas import Judgement, ModelVersion, VersionStatus
from siftstream.schemas.judgement import Source

_HOLDOUT, _AUDIT = 1, 2  # places in models.training.job.SLICES
_DIGITS: Final = 12  # enough to tell all shares apart, few enough that 0.8 is 0.8
_HEADLINES: Final = ("accuracy", "macro_f1", "log_loss", "ece")
_MOST_RECALLS: Final = 200  # classes a slice that a version tells of: it is one Kafka record


@dataclass(frozen=True)
class Held:
    """Labelled samples that no version is trained on, B of them."""

    targets_B: NDArray[np.int64]
    slices_B: NDArray[np.uint8]  # places in models.training.job.SLICES
    chances_B: NDArray[np.float64]  # inclusion probabilities of audited ones, nan elsewhere


@dataclass(frozen=True)
class Verdict:
    """What becomes of a candidate, why, and the figures behind it (the live model's begin with `live_`)."""

    status: VersionStatus
    reason: str
    metrics: dict[str, float]
    judgement: Judgement


def measure(probs_BMC: NDArray[np.floating], targets_B: NDArray[np.integer]) -> dict[str, float]:
    """Return accuracy, macro_f1, log_loss and ece of the members' mean, and `judged`, the sample count.

    >>> measure(np.array([[[0.8, 0.2]], [[0.8, 0.2]]]), np.array([0, 1]))["accuracy"]
    0.5
    """
    targets_B = targets_B.astype(np.int64)
    names = [str(number) for number in range(probs_BMC.shape[2])]
    answers = Answers.of(probs_BMC, targets_B)
    return _flat(figures_of(answers, None, targets_B, np.ones(len(targets_B)), names))


def judge(
    probs_BMC: NDArray[np.float32],
    live_probs_BMC: NDArray[np.float32] | None,
    held: Held,
    classes: Sequence[str],
    settings: GateSettings,
    *,
    live: ModelVersion | None,
    overtaken: bool = False,
) -> Verdict:
    """Compare what a candidate and the live version say of the same B held-out and audited samples.

    The gate reads the figures over all of them, each counting once: two models are compared, not the stream
    described, and the audit's weights would leave a few samples to decide. What the *stream* would see is
    told beside it, by the audit alone with its weights 1 / chance.

    Without a live version to compare with, or with fewer than `min_judged` samples, the candidate passes and
    the reason says so. While the live version is held, what passes is a candidate. Slow: call it in a thread.

    Args:
        probs_BMC: What the candidate's members say.
        live_probs_BMC: What the live version's say, perhaps of other members; none: it cannot be asked.
        held: The samples.
        classes: Their names.
        settings: What must not be lost.
        live: The live version; none: there is none.
        overtaken: Whether the live version knows more labels: of two trainers the later claim was faster.
            Such a candidate goes live only where its accuracy is higher.
    """
    if not len(held.targets_B):
        empty = Judgement(against=None if live is None else live.version)
        reason = "Not judged: no held-out or audit sample yet"
        status, reason = _passed(reason, settings, live, overtaken)
        return Verdict(status, reason, {"judged": 0.0}, empty)
    ours = Answers.of(probs_BMC, held.targets_B)
    theirs = None if live_probs_BMC is None else Answers.of(live_probs_BMC, held.targets_B)
    if live is None:
        theirs = None
    tables = {name: figures_of(_at(ours, rows), None if theirs is None else _at(theirs, rows),
                               held.targets_B[rows], weights, classes, name)
              for name, rows, weights in _sources(held)}  # fmt: skip
    found = weighed(tables["all"], settings)
    enough = len(held.targets_B) >= settings.min_judged
    if theirs is None or not enough:  # the gate was not asked
        found = [Weighed(one.measured) for one in found]
    shown = [*found, *(Weighed(one) for name in ("holdout", "audit") for one in tables.get(name, ()))]
    judgement = Judgement(
        against=live.version if live is not None and theirs is not None else None,
        judged=len(held.targets_B),
        figures=tuple(one.figure for one in _few(shown)),
    )
    return Verdict(*_verdict(found, settings, live, overtaken), _flat(tables["all"]), judgement)


def _sources(held: Held) -> list[tuple[Source, NDArray[np.intp], NDArray[np.float64]]]:
    """Return the samples' rows and weights: all, the holdout, and the audited ones whose chance is known."""
    known = (held.slices_B == _AUDIT) & (held.chances_B > 0)
    audit, holdout = np.flatnonzero(known), np.flatnonzero(held.slices_B == _HOLDOUT)
    every = np.arange(len(held.targets_B))
    sources: list[tuple[Source, NDArray[np.intp], NDArray[np.float64]]] = [
        ("all", every, np.ones(len(every))),
        ("holdout", holdout, np.ones(len(holdout))),
        ("audit", audit, 1.0 / held.chances_B[audit]),
    ]
    return [source for source in sources if len(source[1])]


def _at(answers: Answers, rows: NDArray[np.intp]) -> Answers:
    return answers if len(rows) == len(answers.guesses_B) else answers.at(rows)


def _few(shown: Sequence[Weighed]) -> list[Weighed]:
    """Leave out recalls where there are very many classes; those that changed most, or were lost, stay."""
    kept: list[Weighed] = []
    for source in ("all", "holdout", "audit"):
        here = [one for one in shown if one.measured.samples == source]
        recalls = [one for one in here if one.measured.name.startswith(f"{RECALL}/")]
        ranked = sorted(recalls, key=lambda one: (one.kept, -abs(one.measured.loss)))
        chosen = {one.measured.name for one in ranked[:_MOST_RECALLS]}
        kept += [one for one in here if one.measured.name in (*_HEADLINES, *chosen)]
    return kept


def _flat(found: Sequence[Measured]) -> dict[str, float]:
    """Return the figures that everybody reads, by name; the live one's begin with `live_`."""
    headlines = [one for one in found if one.name in _HEADLINES]
    return {
        "judged": float(headlines[0].count),
        **{one.name: round(one.value, _DIGITS) for one in headlines},
        **{f"live_{one.name}": round(one.live, _DIGITS) for one in headlines if one.live is not None},
    }


def _verdict(
    found: Sequence[Weighed], settings: GateSettings, live: ModelVersion | None, overtaken: bool
) -> tuple[VersionStatus, str]:
    accuracy = found[0].measured
    figure = f"accuracy {accuracy.value:.3f} on {accuracy.count} samples"
    if live is None:
        return _passed(f"First of its line: {figure}", settings, live)
    if accuracy.live is None:
        reason = f"Not judged: live {live.version} is of other classes or inputs ({figure})"
        return _passed(reason, settings, live)
    figure = f"{figure}, live {live.version} {accuracy.live:.3f}"
    if accuracy.count < settings.min_judged:
        return _passed(
            f"Not judged: {settings.min_judged} samples are needed ({figure})", settings, live, overtaken
        )
    lost = sorted((one for one in found if not one.kept), key=lambda one: -one.excess)
    if lost:
        return VersionStatus.REJECTED, _lost(lost, settings, live)
    return _passed(f"Passed: {figure}", settings, live, overtaken and accuracy.loss >= 0)


def _passed(
    reason: str, settings: GateSettings, live: ModelVersion | None, overtaken: bool = False
) -> tuple[VersionStatus, str]:
    """Return what passes as, with the reason as a sentence."""
    if live is not None and live.held:
        return VersionStatus.CANDIDATE, f"{reason}; {live.version} is held live until it is let go."
    if live is not None and overtaken:
        return VersionStatus.CANDIDATE, f"{reason}; {live.version} knows more labels."
    return VersionStatus.LIVE if settings.promote else VersionStatus.CANDIDATE, f"{reason}."


def _lost(lost: Sequence[Weighed], settings: GateSettings, live: ModelVersion) -> str:
    """Say what was lost, the worst first."""
    worst = lost[0].measured
    sure = "" if settings.confidence is None else f" (confidence {settings.confidence:g})"
    others = ", ".join(one.measured.name for one in lost[1:4])
    more = f", and {len(lost) - 4} more" if len(lost) > 4 else ""
    return (
        f"Worse than live by {worst.loss:.3f}, {lost[0].allowed:g} allowed{sure}: {worst.name}"
        f" {worst.value:.3f} on {worst.count} samples, live {live.version} {worst.live:.3f}"
        f"{f'; also {others}{more}' if others else ''}."
    )
