"""`siftstream query`: choose so many samples now, over all partitions."""

import json
import logging
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.cli.readable import likeliest, printable
from siftstream.schemas.errors import ConfigError

if TYPE_CHECKING:
    from siftstream.connectors.client import Answer

WIDE: Final = 100_000


def query(
    budget: Annotated[int, typer.Option(min=1, help="How many samples; fewer come where no more are free.")],
    strategy: Annotated[
        str | None,
        typer.Option(help="Which strategy, as `siftstream strategies` lists them; else the configured one."),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", metavar="KEY=VALUE", help="One of the strategy's own; repeat it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a sample.")] = False,
    uris: Annotated[bool, typer.Option("--uris", help="The URIs alone, one a line.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")] = 60.0,
    config: Config = None,
) -> None:
    """Choose so many samples now, over all partitions, and show them."""
    if as_json and uris:
        raise ConfigError("--json and --uris: choose one of them")
    wanted = values_of(parameters or [])
    settings = settings_with_cluster(config)
    from siftstream.connectors.client import Client

    # what it warns of is said below in a sentence
    logging.getLogger("siftstream.connectors.client").addHandler(logging.NullHandler())
    with Client(config=settings) as client:
        answer = client.query(budget, strategy, wanted, timeout=timeout)
    show(answer, as_json=as_json, uris=uris)
    typer.echo(answer.told, err=True)


def values_of(words: list[str]) -> dict[str, Any]:
    """Read `key=value` words; a value that is JSON is what it says, any other is text.

    >>> values_of(["alpha=0.5", "metric=cosine", "names=[1, 2]"])
    {'alpha': 0.5, 'metric': 'cosine', 'names': [1, 2]}

    Raises:
        ConfigError: a word without `=`.
    """
    found: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise ConfigError(f"--parameter {word!r}: write key=value")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def show(answer: "Answer", *, as_json: bool, uris: bool) -> None:
    """Print the samples, best first."""
    if as_json or uris:
        for chosen in answer:
            typer.echo(chosen.encode() if as_json else chosen.uri.encode(errors="surrogateescape"))
        return
    console = Console(highlight=False, width=WIDE)  # ids and URIs whole, whatever the terminal
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, right in {"rank": True, "id": False, "score": True, "prediction": False, "URI": False}.items():
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for chosen in answer:
        guess = likeliest(chosen.probabilities) or chosen.prediction or ""
        cells = (f"{chosen.rank + 1}", chosen.sample_id, f"{chosen.score:.4g}", guess, chosen.uri)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    if len(answer):
        console.print(table)
