"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE",
        help="The configuration; without it SIFTSTREAM_CONFIG, else siftstream.yaml here, else the defaults.",
    ),
]  # fmt: skip

WithParent = Annotated[
    bool, typer.Option("--with-parent", help="End when standard input ends: the parent holds its other end.")
]
