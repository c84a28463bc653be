"""What goes wrong is told in one red sentence and exit code 1; `SIFTSTREAM_DEBUG=1` shows the traceback."""

import os
from collections.abc import Generator
from contextlib import contextmanager

import typer

from siftstream.schemas.errors import SiftError


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    return os.environ.get("SIFTSTREAM_DEBUG") == "1"


@contextmanager
def told() -> Generator[None]:
    """Turn an exception into a sentence on stderr and exit code 1."""
    try:
        yield
    except SiftError as error:
        if debugging():
            raise
        fail(str(error), error)
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        # click's own usage errors know how to show themselves
        if debugging() or hasattr(error, "exit_code"):
            raise
        fail(f"{sentence(error)}; SIFTSTREAM_DEBUG=1 shows where", error)


def fail(words: str, cause: BaseException | None = None) -> None:
    """Say why, in red where stderr is a terminal, and end with exit code 1."""
    typer.secho(words, fg=typer.colors.RED, err=True)
    raise typer.Exit(1) from cause


def sentence(error: BaseException) -> str:
    """Return an error as one line: ours as they are, others with their type."""
    words = " ".join(str(error).split())
    if isinstance(error, SiftError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
