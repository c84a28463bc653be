"""`siftstream config`: write, check or show the configuration."""

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml

from siftstream.cli.options import Config
from siftstream.schemas.errors import ConfigError, StrategyError
from siftstream.settings import Settings, load_settings

config = typer.Typer(add_completion=False, no_args_is_help=True)


@config.callback()
def about() -> None:
    """Write, check or show the configuration."""


@config.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it; - is standard output.")] = Path(
        "siftstream.yaml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a configuration with every setting, its description and its default."""
    from siftstream.settings.example import example

    if str(file) == "-":
        typer.echo(example(), nl=False)
        return
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(example())
    except FileExistsError as error:
        raise ConfigError(f"{file} is there already: --force overwrites it, or name another file") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    typer.echo(f"{file} written: edit it, then `siftstream config check`")


@config.command()
def check(config: Config = None) -> None:
    """Load the configuration and check it, strategies and transform by name too."""
    settings = load_settings(config)
    shape = validate(settings)
    classes = ", ".join(settings.classes[:5]) + (", ..." if len(settings.classes) > 5 else "")
    typer.echo(
        f"valid: {len(settings.classes)} classes ({classes}),"
        f" {settings.transform.kind} {'x'.join(map(str, shape))}, strategy {settings.select.strategy.name},"
        f" {settings.pipeline.partitions} partitions, Kafka {settings.kafka.bootstrap_servers or 'local'}"
    )


def validate(settings: Settings) -> tuple[int, ...]:
    """Check what the models alone cannot; return the shape of the transform's output.

    Raises:
        ConfigError: a strategy or transform is unknown or refuses its parameters, or a file is not there.
    """
    from siftstream.agents.fetch.transforms import make_transform
    from siftstream.strategies import get_strategy

    strategy = settings.select.strategy
    for name, words, parameters in (
        ("name", strategy.name, strategy.parameters),
        ("cold_start", strategy.cold_start, {}),
    ):
        try:
            get_strategy(words, **parameters)
        except StrategyError as error:
            raise ConfigError(f"select.strategy.{name}: {error}") from error
    try:
        settings.kafka.ssl_context()
    except OSError as error:
        raise ConfigError(
            f"kafka.ssl_*: the certificates cannot be used: {error.strerror or error}"
        ) from error
    return make_transform(settings.transform).shape


@config.command()
def show(config: Config = None) -> None:
    """Print the configuration as it is in effect, environment included, secrets masked."""
    settings = load_settings(config)
    typer.echo(
        yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True), nl=False
    )


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    typer.echo(json.dumps(Settings.model_json_schema(), indent=2))
