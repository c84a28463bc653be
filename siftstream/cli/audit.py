"""`siftstream audit`: live accuracy on the stream, and what choosing by a strategy is worth."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Annotated, Any, Final

import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from siftstream.agents.select.audit.answers import Answers
from siftstream.agents.select.audit.report import By, Counts, Figures, reports
from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.models.estimate import LEVEL, Lift, Share
from siftstream.schemas import Selected, TrainingLabel
from siftstream.schemas.errors import SchemaError
from siftstream.settings import Settings
from siftstream.streams.record import Record
from siftstream.streams.story.reading import LogReader

NONE: Final = "-"


def audit(
    by: Annotated[
        By | None,
        typer.Option(help="Also by model version, by day (UTC), or by the class that people say it is."),
    ] = None,
    level: Annotated[float, typer.Option(min=0.5, max=0.999, help="Confidence of the intervals.")] = LEVEL,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    config: Config = None,
) -> None:
    """Estimate the live accuracy, and the strategy's lift over random, from the audit slice."""
    settings = settings_with_cluster(config)
    answers, unreadable = asyncio.run(read(settings))
    found = reports(answers.all(), by, level)
    if as_json:
        groups = [plain(asdict(one) | {"sentence": one.sentence()}) for one in found]
        about = {"level": level, "recalled": answers.recalled, "unreadable": unreadable, "groups": groups}
        typer.echo(json.dumps(about, allow_nan=False))
    else:
        Console(highlight=False).print(view(found, level, answers.recalled, unreadable))


async def read(settings: Settings) -> tuple[Answers, int]:
    """Read every choice and every resolution; also how many records could not be read."""
    answers, bad = Answers(), 0
    folds: dict[str, Callable[[Record], None]] = {
        Selected.topic: answers.hear_selected, TrainingLabel.topic: answers.hear_labelled,
    }  # fmt: skip
    async with LogReader(settings.kafka, settings.pipeline) as log:
        for topic, fold in folds.items():
            stretches = await log.stretches(topic, log.required(topic))
            async for record in log.read(topic, stretches):
                try:
                    fold(record)
                except SchemaError:
                    bad += 1
    return answers, bad


def view(found: Sequence[Figures], level: float, recalled: int, unreadable: int) -> Group:
    """Return the figures as something that Rich prints."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for name in (
        "audit\nlabels",
        "live\naccuracy",
        "strategy\nlabels",
        "model's\nerror there",
        "lift over\nrandom",
    ):
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(
            one.name, labels(one.audit), percent(one.accuracy), labels(one.strategy),
            percent(one.strategy_error), times(one.lift),
        )  # fmt: skip
    overall = found[0]
    notes = [
        f"Intervals of {level:.0%}. {overall.sentence()[:1].upper()}{overall.sentence()[1:]}.",
        left_out(overall, recalled, unreadable),
    ]
    return Group(table, "", *(Text(note) for note in notes if note))


def labels(counts: Counts) -> str:
    """How many of the chosen have a label."""
    return f"{counts.labelled:,} of {counts.chosen:,}"


def percent(share: Share) -> str:
    """A share with its interval.

    >>> percent(Share(0.921, 0.87, 0.955, 100, 80.0)), percent(Share(None, 0.0, 1.0, 0, 0.0))
    ('92.1 % (87.0 to 95.5)', '-')
    """
    if share.value is None:
        return NONE
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"


def times(lift: Lift) -> str:
    """A lift with its interval.

    >>> from math import inf
    >>> times(Lift(3.1, 1.2, 14.0)), times(Lift(None, 2.5, inf)), times(Lift(None, 0.0, inf))
    ('3.10 (1.20 to 14)', 'over 2.50', '-')
    """
    if lift.value is None:
        return f"over {_short(lift.low)}" if lift.low else NONE
    return f"{_short(lift.value)} ({_short(lift.low)} to {_short(lift.high)})"


def _short(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def left_out(one: Figures, recalled: int, unreadable: int) -> str:
    """Say what is in no figure, and why."""
    parts = {
        "skipped": one.audit.skipped + one.strategy.skipped,
        "not answered yet": one.audit.waiting + one.strategy.waiting,
        "recalled": recalled,
        "chosen before a model existed": one.untrained,
        "unreadable records": unreadable,
    }
    told = ", ".join(f"{count:,} {name}" for name, count in parts.items() if count)
    return f"Not counted: {told}." if told else ""


def plain(value: Any) -> Any:
    """Return a structure that JSON can hold: an open end of an interval is null."""
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, float) and not isfinite(value):
        return None
    return value
