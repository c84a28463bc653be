"""`siftstream pause`: ask annotators nothing more."""

from typing import Annotated

import typer

from siftstream.cli.options import Config
from siftstream.schemas import Action

Why = Annotated[str, typer.Argument(help="A sentence, which `siftstream status` shows.", show_default=False)]


def pause(why: Why = "", config: Config = None) -> None:
    """Ask annotators nothing more, until somebody resumes it; labels still come in and are learned."""
    say(Action.PAUSE, why, config)
    typer.echo("asking is paused; `siftstream resume` goes on")


def say(action: Action, why: str, config: Config) -> None:
    """Put a person's word about asking on the topic `commands`."""
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.writing import write_event
    from siftstream.schemas import Command

    settings = settings_with_cluster(config)
    write_event(settings, Command(line=settings.model.line, action=action, why=why), "command")
