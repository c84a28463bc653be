"""`siftstream config`: write, check or show the configuration."""

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml

from siftstream.cli.options import Config
from siftstream.schemas.arrays import described
from siftstream.schemas.errors import ConfigError
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
    from siftstream.settings.check import check as check_names

    settings = load_settings(config)
    specs = check_names(settings)
    classes = ", ".join(settings.classes[:5]) + (", ..." if len(settings.classes) > 5 else "")
    typer.echo(
        f"valid: {len(settings.classes)} classes ({classes}),"
        f" {described(specs)}, strategy {settings.select.strategy.name},"
        f" {settings.pipeline.partitions} partitions, Kafka {settings.kafka.bootstrap_servers or 'local'}"
    )


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
