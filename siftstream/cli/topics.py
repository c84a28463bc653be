"""`siftstream topics`: the design's topics on the cluster, listed or created."""

import typer
from rich.console import Console
from rich.table import Table

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.settings import Settings
from siftstream.streams.catalogue import read_catalogue
from siftstream.streams.topics import ensure_topics

topics = typer.Typer(add_completion=False)


@topics.callback(invoke_without_command=True)
def either(context: typer.Context, config: Config = None) -> None:
    """List the pipeline's topics, or create them."""
    if context.invoked_subcommand is None:
        show(settings_with_cluster(config))


@topics.command("list")
def list_topics(config: Config = None) -> None:
    """Show each topic's partitions, records and differences from the design."""
    show(settings_with_cluster(config))


@topics.command("create")
def create(config: Config = None) -> None:
    """Create the topics that are missing; existing ones stay as they are."""
    settings = settings_with_cluster(config)
    ensure_topics(settings.kafka, settings.pipeline)
    show(settings)


def show(settings: Settings) -> None:
    """Print the table and the differences."""
    states, told = read_catalogue(settings.kafka, settings.pipeline)
    table = Table("topic", box=None, header_style="bold")
    for name in ("partitions", "records"):
        table.add_column(name, justify="right")
    table.add_column("cleanup")
    for state in states:
        partitions = str(state.partitions) if state.partitions else "[red]not there[/]"
        records = f"{state.records:,}" if state.partitions else ""
        table.add_row(state.name, partitions, records, state.cleanup)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for sentence in told:
        console.print(f"[yellow]differs:[/] {sentence}")
    if any(not state.partitions for state in states):
        console.print("`siftstream topics create` creates what is missing; `up` and every worker do it too")
