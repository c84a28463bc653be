"""`siftstream broker`: a local Kafka in the foreground, until Ctrl-C."""

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker import LocalBroker

LOOK_EVERY_S = 0.5


def broker(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the records between runs; without it they go at the end."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port on 127.0.0.1; without it a free one.", min=1, max=65_535)
    ] = None,
) -> None:
    """Run a real Kafka on this machine until Ctrl-C: no Docker, no Java installation needed."""
    before = signal.signal(signal.SIGTERM, stop_as_by_ctrl_c)
    running = LocalBroker(data, port, tell=typer.echo)
    try:
        running.start()
        typer.echo(f"Kafka listens on {running.bootstrap} (log: {running.log_path}). Ctrl-C stops it.")
        typer.echo(f"  export KAFKA_BOOTSTRAP_SERVERS={running.bootstrap}")
        while not running.ended(LOOK_EVERY_S):
            pass
        raise BrokerError(running.failure())
    except KeyboardInterrupt:
        typer.echo("Stopping Kafka")
    except BrokerError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        running.stop()
        signal.signal(signal.SIGTERM, before)


def stop_as_by_ctrl_c(number: int, frame: FrameType | None) -> None:
    """Signal handler: SIGTERM stops the command as Ctrl-C does."""
    raise KeyboardInterrupt
