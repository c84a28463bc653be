"""`siftstream resume`: ask annotators again."""

import typer

from siftstream.cli.options import Config
from siftstream.cli.pause import Why, say
from siftstream.schemas import Action


def resume(why: Why = "", config: Config = None) -> None:
    """Ask annotators again, whoever paused it."""
    say(Action.RESUME, why, config)
    typer.echo("asking goes on")
