"""The commands, one file each; a command is imported when it is called, so each loads only what it runs."""

import logging
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from siftstream.cli.told import debugging, told

COMMANDS = {
    "demo": "The whole loop on this machine: watch a model get better.",
    "up": "Run the whole pipeline on this machine, with a local Kafka where none is configured.",
    "worker": "Run one stage on a cluster, as many workers as you like.",
    "push": "Send files, folders, URIs or a list of them into the pipeline.",
    "watch": "Keep sending what newly appears in folders and buckets, until Ctrl-C.",
    "tail": "Show what passes through a topic, one readable line a sample.",
    "query": "Choose so many samples now, over all partitions, and show them.",
    "status": "Show each stage's lag, the window, the trainers, labels, the live model, dead letters.",
    "explain": "Tell one sample's story: fetched, scored, chosen why, labelled what, trained into what.",
    "audit": "Estimate the live accuracy, and the strategy's lift over random, from the audit slice.",
    "train": "Train now, with all labels there are, however few of them are new.",
    "pause": "Ask annotators nothing more, until somebody resumes it; labels still come in and are learned.",
    "resume": "Ask annotators again, whoever paused it.",
    "models": "List, show, compare, promote, roll back, keep, reproduce, import and quantize models.",
    "strategies": "List every strategy, with what it needs, costs and is from; `show NAME` explains one.",
    "advise": "Ask what decides which samples to label, and write the settings that follow, with reasons.",
    "experiment": "Find out on labelled data which strategy saves labels, before anybody annotates.",
    "topics": "List the pipeline's topics, or create them.",
    "config": "Write, check or show the configuration.",
    "oracle": "Run the simulated annotator, which knows the truth and takes its time.",
    "bench": "Measure the whole line beside its raw limits and beside what others do.",
    "broker": "Run a real Kafka on this machine until Ctrl-C: no Docker, no Java installation needed.",
}
"""Name and help of each command; `siftstream.cli.NAME` holds it: a function or Typer app of that name."""


class LazyGroup(TyperGroup):
    """Lists all commands without importing one, and imports the one that is called."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; for the list of all commands its help line is enough."""
        if cmd_name not in COMMANDS:
            return None
        if self._listing:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        return command_of(getattr(import_module(f"siftstream.cli.{cmd_name}"), cmd_name))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help, from the help lines alone."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; suggestions for a mistyped one come from the names alone."""
        self.commands = dict.fromkeys(COMMANDS, TyperCommand("any"))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what goes wrong is told in one sentence."""
        with told():
            return super().invoke(ctx)


def command_of(thing: Any) -> Any:
    """Return the command that a function or a Typer app is."""
    if not isinstance(thing, typer.Typer):
        single = typer.Typer(add_completion=False)
        single.command()(thing)
        thing = single
    return typer.main.get_command(thing)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},
)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        typer.echo(version("siftstream"))
        raise typer.Exit


@app.callback()
def siftstream(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Streaming active learning on Kafka: the few samples worth a person's time, while the stream runs."""
    if not debugging():  # kafka-python says in its own words what we say in a sentence
        logging.getLogger("kafka").addHandler(logging.NullHandler())


def main() -> None:
    """The entry point `siftstream`."""
    app(prog_name="siftstream")
