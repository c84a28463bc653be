"""How `siftstream models` speaks: a line a step, tables without frames."""

from typing import Final

from rich.console import Console
from rich.table import Table

_WIDEST: Final = 10_000


def console() -> Console:
    """Return standard output; nothing is coloured by guessing, and no line is broken."""
    return Console(highlight=False, soft_wrap=True)


def lay(rows: Table) -> None:
    """Print a table in its own width: what a narrow terminal breaks can be read, what is cut off cannot."""
    wide = Console(width=_WIDEST).measure(rows).maximum
    Console(highlight=False, width=max(console().width, wide)).print(rows)


def told(words: str) -> None:
    """Print a line as it stands."""
    console().print(words, markup=False)


def table(*left: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table with columns of words, then columns of figures."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for name in left:
        made.add_column(name, no_wrap=True)
    for name in right:
        made.add_column(name, justify="right", no_wrap=True)
    return made
