"""`siftstream models`: the versions of a line; one file a thing that can be done with them."""

import typer

from siftstream.cli.models.differing import diff
from siftstream.cli.models.going_live import promote, release, rollback
from siftstream.cli.models.keeping import pin, prune, unpin
from siftstream.cli.models.listing import list_models
from siftstream.cli.models.making import import_, quantize
from siftstream.cli.models.reproducing import reproduce
from siftstream.cli.models.showing import show

models = typer.Typer(add_completion=False, no_args_is_help=True)


@models.callback()
def about() -> None:
    """List, show, compare, promote, roll back, keep, reproduce, import and quantize models."""


for name, command in {
    "list": list_models, "show": show, "diff": diff, "promote": promote, "rollback": rollback,
    "release": release, "pin": pin, "unpin": unpin, "prune": prune, "reproduce": reproduce,
    "import": import_, "quantize": quantize,
}.items():  # fmt: skip
    models.command(name)(command)

__all__ = ["models"]
