"""`siftstream status`: a table of the stages, and what came of it all."""

import time
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.schemas.errors import UnavailableError
from siftstream.streams.status import GroupStatus, Status, StatusReader, read_status

EVERY_S = 1.0


def status(
    config: Config = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew every second, until Ctrl-C.")
    ] = False,
) -> None:
    """Show each stage's lag and members, the window, labels, the live model, dead letters."""
    console = Console(highlight=False)
    settings = settings_with_cluster(config)
    if not watch:
        console.print(view(read_status(settings.kafka, settings.pipeline), settings.model.line))
        return
    try:
        with StatusReader(settings.kafka, settings.pipeline) as reader, Live(console=console) as live:
            while True:
                try:
                    live.update(view(reader.read(), settings.model.line))
                except UnavailableError as error:
                    live.update(Text(str(error), style="yellow"))
                time.sleep(EVERY_S)
    except KeyboardInterrupt:
        pass


def view(state: Status, line: str) -> Group:
    """Return a status as something that Rich prints."""
    return Group(table_of(state), Text(summary(state, line)))


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


def oldest(group: GroupStatus) -> str:
    """How long the oldest waiting record has waited."""
    return f"{group.lag_seconds:,.1f} s" if group.lag else "-"


def summary(state: Status, line: str) -> str:
    """What came of it all, in one line.

    >>> summary(Status(0.0, (), {"selected": 3, "labelled": 2}, ()), "main")
    '3 selected, 2 labelled, no trained model yet, 0 dead letters'
    """
    live = state.live.get(line)
    model = f"model {live.version} (of {live.trained_on:,} labels)" if live else "no trained model yet"
    letters = f"{state.dead_letters:,} dead letters"
    return f"{state.selected:,} selected, {state.labelled:,} labelled, {model}, {letters}"
