"""`siftstream strategies`: list every acquisition strategy, stream rule and stopping rule; explain one."""

from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from siftstream.strategies.catalogue import Entry

LEGEND: Final = """\
`siftstream strategies show NAME` explains one and says how the configuration asks for it.
Cost by B samples, M members, C classes, D embedding dimension, N covered, L labelled, k chosen."""

strategies = typer.Typer(add_completion=False, invoke_without_command=True)


@strategies.callback()
def list_all(context: typer.Context) -> None:
    """List every strategy, with what it needs, costs and is from; `show NAME` explains one."""
    if context.invoked_subcommand is not None:
        return
    from siftstream.strategies.catalogue import entries, rules, stopping_rules

    console = Console(highlight=False)
    found = [*entries(), *rules(), *stopping_rules()]
    for family in dict.fromkeys(entry.family for entry in found):
        table = Table(title=family, title_justify="left", title_style="bold", box=None, show_header=False)
        table.add_column(no_wrap=True, style="cyan")
        table.add_column()
        for entry in found:
            if entry.family == family:
                table.add_row(escape(entry.name), _in_short(entry))
        console.print(table)
        console.print()
    console.print(LEGEND, soft_wrap=True)


@strategies.command()
def show(
    name: Annotated[
        str, typer.Argument(help="Name of a strategy or rule, as the list shows it; skactiveml:NAME.")
    ],
) -> None:
    """Explain one strategy or rule: formula, needs, cost, parameters, source."""
    from siftstream.strategies.catalogue import entry

    _show(Console(highlight=False), entry(name))


def _in_short(entry: "Entry") -> Group:
    needs = f"needs {', '.join(entry.needs)}" if entry.needs else "needs nothing"
    return Group(
        Text(entry.when),
        Text(f"{needs}; costs {entry.cost}", style="dim"),
        Text(entry.source, style="dim italic", no_wrap=True, overflow="ellipsis"),
    )


def _show(console: Console, entry: "Entry") -> None:
    console.print(f"[bold cyan]{escape(entry.name)}[/]  ({escape(entry.family)})\n")
    for paragraph in entry.explanation.split("\n\n"):
        console.print(escape(" ".join(paragraph.split())) + "\n")
    console.print(
        _told(
            {
                "when": entry.when,
                "needs": ", ".join(entry.needs) or "nothing",
                "cost": entry.cost,
                "source": entry.source,
                "also called": ", ".join(entry.aliases),
            }
        )
    )
    if entry.parameters:
        console.print("\n[bold]parameters[/]")
        told: dict[str, str] = {}
        for one in entry.parameters:
            default = "must be given" if one.default is None else f"default {one.default}"
            told[one.name] = f"{one.description} ({one.kind}; {default})"
        console.print(_told(told))
    if entry.selects:
        console.print(escape(_yaml(entry)), soft_wrap=True)


def _told(said: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in said.items():
        if value:
            table.add_row(escape(name), escape(value))
    return table


def _yaml(entry: "Entry") -> str:
    """Return how the configuration asks for it, with parameters that must be given."""
    lines = ["", "select:", "  strategy:", f"    name: {entry.name}"]
    needed = [one for one in entry.parameters if one.default is None]
    if needed:
        lines += ["    parameters:", *(f"      {one.name}: ..." for one in needed)]
    return "\n".join(lines)
