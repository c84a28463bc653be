"""`siftstream models promote`, `rollback` and `release`: a person says what is live."""

from typing import Annotated

import typer

from siftstream.cli.models.told import told
from siftstream.cli.options import Config
from siftstream.schemas import ModelVersion
from siftstream.settings import Settings

Version = Annotated[str, typer.Argument(help="Name of a version, as `models list` shows it.")]
_HEARD = "infer, select and trainers take it up between two batches"


def promote(version: Version, config: Config = None) -> None:
    """Put a version live that is a candidate, was rejected, or was live before."""
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.versions import named, put_live, versions_of

    settings = settings_with_cluster(config)
    chosen = named(versions_of(settings), version, settings.model.line)
    _require_running(settings, chosen)
    put_live(settings, chosen, "Promoted by hand.")
    told(f"{chosen.version} is live; {_HEARD}")


def rollback(
    config: Config = None,
    to: Annotated[
        str, typer.Option("--to", metavar="VERSION", help="Else the one that was live before this one.")
    ] = "",
    hold: Annotated[
        bool, typer.Option("--hold", help="Let no trainer replace it, until `promote` or `release`.")
    ] = False,
) -> None:
    """Put the version live again that was live before the present one."""
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.versions import live_in, named, put_live, versions_of
    from siftstream.schemas.errors import ConfigError
    from siftstream.schemas.live import before

    settings = settings_with_cluster(config)
    versions = versions_of(settings)
    live = live_in(versions)
    if live is None:
        raise ConfigError(
            f"nothing is live in the line {settings.model.line!r}, so nothing can be rolled back"
        )
    earlier = named(versions, to, settings.model.line) if to else before(live, list(versions.values()))
    if earlier is None:
        raise ConfigError(
            f"nothing was live before {live.version} whose files are still there;"
            " name a version with --to, `models list` shows them"
        )
    _require_running(settings, earlier)
    reason = (
        f"Rolled back from {live.version}." if earlier.version != live.version else "Rolled back to itself."
    )
    put_live(settings, earlier, reason, held=hold)
    told(f"{earlier.version} is live instead of {live.version}; {_HEARD}")
    if hold:
        told("it is held: what trainers make stays a candidate until `models release` or `models promote`")


def release(config: Config = None) -> None:
    """End a hold: the next version that passes the gate goes live by itself again."""
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.versions import live_in, say_again, versions_of

    settings = settings_with_cluster(config)
    live = live_in(versions_of(settings))
    if live is None or not live.held:
        told(f"nothing is held in the line {settings.model.line}")
        return
    say_again(settings, live.model_copy(update={"held": False}))
    told(f"{live.version} is held no longer; the next version that passes the gate replaces it")


def _require_running(settings: Settings, version: ModelVersion) -> None:
    """Raise where a version does not load here: what does not run goes not live."""
    from siftstream.models.artifacts import ArtifactStore
    from siftstream.models.loaded import LoadedModel

    store = ArtifactStore.open(settings.model.artifacts)
    LoadedModel.load(version, store, settings.model.anywhere(), classes=settings.classes)
