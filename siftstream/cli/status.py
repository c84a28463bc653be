"""`siftstream status`: a table of the stages, and what came of it all."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from siftstream.agents.infer.settings import LineSettings
from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.cli.trainers import trainers
from siftstream.schemas.errors import UnavailableError
from siftstream.streams.status import GroupStatus, Status, StatusReader, read_status

EVERY_S = 1.0


def status(
    config: Config = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew every second, until Ctrl-C.")
    ] = False,
) -> None:
    """Show each stage's lag, the window, the trainers, labels, the live model, dead letters."""
    console = Console(highlight=False)
    settings = settings_with_cluster(config)
    if not watch:
        console.print(
            view(read_status(settings.kafka, settings.pipeline), settings.model.line, settings.infer.lines)
        )
        return
    try:
        with StatusReader(settings.kafka, settings.pipeline) as reader, Live(console=console) as live:
            while True:
                try:
                    live.update(view(reader.read(), settings.model.line, settings.infer.lines))
                except UnavailableError as error:
                    live.update(Text(str(error), style="yellow"))
                time.sleep(EVERY_S)
    except KeyboardInterrupt:
        pass


def view(state: Status, line: str, others: Sequence[LineSettings] = ()) -> Group:
    """Return a status as something that Rich prints."""
    lines = [*running(state), *trainers(state), summary(state, line, others)]
    return Group(table_of(state), *map(Text, lines))


def table_of(state: Status) -> Table:
    """A row a consumer group."""
    table = Table("stage", "group", "reads", box=None, header_style="bold")
    for name in ("workers", "lag", "oldest", "window"):
        table.add_column(name, justify="right")
    for group in state.groups:
        workers = Text(str(group.members), style="" if group.members else "red")
        window = f"{group.rows:,}" if group.rows is not None else ""
        table.add_row(group.name, group.group, group.topic, workers, f"{group.lag:,}", oldest(group), window)
    if not state.groups:
        table.add_row("no stage has run yet")
    return table


def running(state: Status) -> list[str]:
    """What the models of each stage run on; with the partitions where workers differ.

    >>> from siftstream.streams.runs_on import RunsOn
    >>> notes = {RunsOn("main", "v2", "cuda", "fp16", 2, "the first asked for"): 3,
    ...          RunsOn("main", "v2", "cpu", "fp32", 2, "cuda has no device"): 1}
    >>> infer = GroupStatus("infer", "sift-infer", "features", 2, 0, 0, 0.0, runs_on=notes)
    >>> for text in running(Status(0.0, (infer,), {}, ())):
    ...     print(text)
    infer runs main/v2 on cuda (fp16, 2 runs): the first asked for [3 of 4 partitions]
    infer runs main/v2 on cpu (fp32, 2 runs): cuda has no device [1 of 4 partitions]
    """
    lines: list[str] = []
    for group in state.groups:
        every = sum(group.runs_on.values())
        for note, count in sorted(group.runs_on.items(), key=lambda pair: (-pair[1], pair[0])):
            share = f" [{count} of {every} partitions]" if len(group.runs_on) > 1 else ""
            lines.append(f"{group.name} runs {note}{share}")
    return lines


def oldest(group: GroupStatus) -> str:
    """How long the oldest waiting record has waited."""
    return f"{group.lag_seconds:,.1f} s" if group.lag else "-"


def summary(state: Status, line: str, others: Sequence[LineSettings] = ()) -> str:
    """What came of it all, in one line; `others` are the lines of models beside the main one.

    >>> summary(Status(0.0, (), {"selected": 3, "labelled": 2}, ()), "main")
    '3 selected, 2 labelled, no trained model yet, 0 dead letters'
    >>> summary(Status(0.0, (), {}, ()), "main", [LineSettings(line="next", mode="canary", share=0.1)])
    '0 selected, 0 labelled, no trained model yet, canary next (10%) without a model, 0 dead letters'
    """
    live = state.live.get(line)
    model = f"model {live.version} (of {live.trained_on:,} labels)" if live else "no trained model yet"
    letters = f"{state.dead_letters:,} dead letters"
    models = ", ".join([model, *(beside(one, state) for one in others)])
    return f"{state.selected:,} selected, {state.labelled:,} labelled, {models}, {letters}"


def beside(one: LineSettings, state: Status) -> str:
    """A line of models beside the main one, and its live version."""
    live = state.live.get(one.line)
    return f"{one.mode} {one.line} ({one.share:.0%}) {live.version if live else 'without a model'}"
