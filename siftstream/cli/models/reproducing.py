"""`siftstream models reproduce`: train a version again from its lineage, and compare."""

import json
from typing import Annotated

import typer

from siftstream.cli.models.going_live import Version
from siftstream.cli.models.listing import Json
from siftstream.cli.models.told import console, told
from siftstream.cli.options import Config


def reproduce(
    version: Version,
    config: Config = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Fail (exit code 1) unless every byte is the same.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train a version again: same labels, weights, settings, seed and start; compare the results."""
    from siftstream.cli.again import made_again
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.models.showing import lineage_of
    from siftstream.cli.versions import named, versions_of
    from siftstream.schemas.errors import ConfigError, ModelError

    settings = settings_with_cluster(config)
    versions = versions_of(settings)
    chosen = named(versions, version, settings.model.line)
    lineage, why_not = lineage_of(settings, chosen)
    if lineage is None:
        raise ConfigError(f"{chosen.version} cannot be made again; its lineage: {why_not}")
    again = made_again(settings, chosen, lineage, list(versions.values()))
    if as_json:
        console().print_json(json.dumps(again.told()))
    else:
        for words in again.sentences():
            told(words)
    if exact and not again.same.exact:
        raise ModelError(f"{chosen.version} was made again, but not byte for byte the same")
