"""The report: one HTML file that needs nothing beside it, the curve as PNG, and all figures as JSON."""

import base64
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template
from urllib.parse import unquote, urlsplit

from siftstream.demo.chart import svg, write_png
from siftstream.demo.plan import AHEAD
from siftstream.demo.result import TARGET, Choice, Result, percent
from siftstream.models.settings import SPARE
from siftstream.schemas import Reason

SHOWN_CLASSES = 3
_TEMPLATE = Path(__file__).with_name("report.html")
_REASONS = {
    Reason.STRATEGY: "strategy",
    Reason.AUDIT: "audit",
    Reason.COLD_START: "cold start",
    Reason.QUERY: "query",
}


def write_report(result: Result, out: Path) -> None:
    """Write report.html, report.png and result.json into the folder."""
    (out / "result.json").write_text(result.model_dump_json(indent=1), encoding="utf-8")
    (out / "report.html").write_text(html(result), encoding="utf-8")
    write_png(result, out / "report.png")


def html(result: Result) -> str:
    """Return the report as one page."""
    ours, random = result.sentences()
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        ours=escape(ours), random=escape(random), notice=_notice(result), facts=_facts(result),
        curve=svg(result),
        seeds=result.baseline.seeds, strategy=escape(result.strategy), versions=_versions(result),
        gallery=_gallery(result.choices), stages=_stages(result), steps=_steps(result), how=_how(result),
    )  # fmt: skip


def _notice(result: Result) -> str:
    words = [result.failure] if result.failure else []
    if result.stopped:
        words.append("The run was stopped before its end; this is what there was until then.")
    words += [f"In the run: {happening}." for happening in result.happenings]
    return "".join(f'<p class="notice">{escape(sentence)}</p>' for sentence in words)


def _facts(result: Result) -> str:
    first = "none" if result.first_selected is None else f"{result.first_selected:.1f} s"
    best = max((point.accuracy for point in result.points), default=0.0)
    facts = [
        (str(result.pushed), f"of {result.images} images streamed"),
        (str(result.labelled), "labels bought"),
        (str(len(result.points)), "models went live"),
        (percent(best), f"best on {result.holdout} held-out images"),
        (first, "from Kafka's start to the first selected image"),
        (f"{result.after_setup:.0f} s", "the run, after set-up"),
    ]
    return "".join(f"<div><b>{escape(figure)}</b><span>{escape(what)}</span></div>" for figure, what in facts)


def _versions(result: Result) -> str:
    rows = [
        (
            point.version, str(point.labels), percent(point.accuracy),
            "" if (chance := result.baseline.at(point.labels)) is None else percent(chance),
            f"{point.training:.1f} s", f"{point.seconds:.0f} s",
        )
        for point in result.points
    ]  # fmt: skip
    head = ("model", "labels", "held-out accuracy", "random, same labels", "training took", "live after")
    return _table(head, rows)


def _stages(result: Result) -> str:
    rows = [
        (s.name, f"{s.done:,} {s.what}", f"{s.rate:.1f}", str(s.lag), f"{s.memory:.0f} MiB")
        for s in result.stages
    ]
    return _table(("stage", "did", "a second, at most", "records waiting, at most", "memory, at most"), rows)


def _steps(result: Result) -> str:
    return _table(("set-up", "took"), [(step.name, f"{step.seconds:.1f} s") for step in result.steps])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(words)}</th>" for words in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _gallery(choices: Sequence[Choice]) -> str:
    """Every choice by round; the rounds of all partitions with the same number stand together."""
    ordered = sorted(choices, key=lambda c: (c.selected.round, c.selected.partition, c.selected.rank))
    return "".join(
        _round(number, list(group)) for number, group in groupby(ordered, key=lambda c: c.selected.round)
    )


def _round(number: int, choices: list[Choice]) -> str:
    judged = [choice for choice in choices if choice.selected.model_version != SPARE]
    wrong = sum(choice.selected.prediction != choice.truth for choice in judged)
    title = f"Round {number + 1}"
    words = f"{len(choices)} chosen"
    if judged:
        models = sorted({choice.selected.model_version or "" for choice in judged})
        words += f"; scored by {', '.join(models)}, which is wrong about {wrong} of these {len(judged)}"
    cards = "".join(_card(choice) for choice in choices)
    return (
        f'<section class="round"><h3>{title}</h3><p>{escape(words)}</p>'
        f'<div class="cards">{cards}</div></section>'
    )


def _card(choice: Choice) -> str:
    chosen, reason = choice.selected, _REASONS[choice.selected.reason]
    likeliest = sorted(chosen.probabilities.items(), key=lambda item: -item[1])[:SHOWN_CLASSES]
    bars = "".join(
        f'<li class="{"true" if name == choice.truth else ""}"><i>{escape(name)}</i>'
        f'<s style="width:{share * 100:.0f}%"></s><em>{percent(share, 0)}</em></li>'
        for name, share in likeliest
        if chosen.model_version != SPARE
    )
    untrained = chosen.model_version == SPARE
    verdict = "no model yet" if untrained else f"model: {chosen.prediction}"
    right = "" if untrained else ("right" if chosen.prediction == choice.truth else "wrong")
    score = f", score {chosen.score:.2f}" if chosen.reason is Reason.STRATEGY else ""
    picture = _picture(chosen.uri)
    return (
        f'<figure class="card {chosen.reason.value}">'
        f'<img src="{picture}" width="72" height="72" alt="a handwritten {escape(choice.truth)}">'
        f'<figcaption><b>{escape(choice.truth)}</b> <span class="{right}">{escape(verdict)}</span>'
        f"<small>{reason}{score}</small><ul>{bars}</ul></figcaption></figure>"
    )


def _picture(uri: str) -> str:
    """The image itself as a data URI; none where the file is gone."""
    try:
        data = Path(unquote(urlsplit(uri).path)).read_bytes()
    except OSError:
        return "data:,"
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _how(result: Result) -> str:
    baseline = result.baseline
    reach = f" Numbers of labels up to {baseline.counts[-1]}." if baseline.counts else ""
    told = f"""
        The {result.images} streamed and the {result.holdout} held-out images are disjoint parts of
        scikit-learn's handwritten digits, split and ordered by seed {result.seed}.

        Kafka, fetch, infer, select, consensus, retrain and the simulated annotator ran as a process each.

        The stream waited whenever more than {AHEAD} chosen images were in no model's training yet.

        Labels bought: all that the annotator gave, also those of the audit slice, which train nothing.

        Labels needed: those of the first live model with at least {percent(TARGET, 0)} on the held-out
        images. One run: another seed gives another number.

        Random choice was trained offline beside the run, by a process of low priority: {baseline.seeds}
        seeds, the same training code and settings, labels of the same streamed images.{reach}

        Its labels needed: the mean over its seeds of the first number of labels with the target reached.
        Between two numbers its accuracy is read off a straight line.

        The held-out images were seen by no training, no selection and no gate.
    """
    return "".join(f"<li>{escape(' '.join(words.split()))}</li>" for words in told.split("\n\n"))
