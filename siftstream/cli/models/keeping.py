"""`siftstream models pin`, `unpin` and `prune`: whose files stay, and whose go now."""

import asyncio
from typing import Annotated

import typer

from siftstream.cli.models.going_live import Version
from siftstream.cli.models.told import told
from siftstream.cli.options import Config


def pin(version: Version, config: Config = None) -> None:
    """Keep a version's files for ever, whatever the retention rule says."""
    _say(config, version, pinned=True)
    told(f"{version} is pinned: its files stay")


def unpin(version: Version, config: Config = None) -> None:
    """Let the retention rule decide about a version again."""
    _say(config, version, pinned=False)
    told(f"{version} is pinned no longer: retrain.keep decides about its files")


def prune(
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete what the retention rule (retrain.keep) lets go; trainers do so after each version."""
    from siftstream.agents.retrain.collecting import Topic, collect
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.versions import every_version, write_record
    from siftstream.models.artifacts import ArtifactStore
    from siftstream.schemas import ModelVersion

    settings = settings_with_cluster(config)

    async def read() -> tuple[ModelVersion, ...]:
        return await asyncio.to_thread(every_version, settings)

    async def publish(version: ModelVersion) -> None:
        await asyncio.to_thread(write_record, settings, version)

    gone = asyncio.run(
        collect(
            Topic(settings.pipeline.name, read, publish), ArtifactStore.open(settings.model.artifacts),
            settings.model.line, settings.retrain.keep, dry_run=dry_run,
        )
    )  # fmt: skip
    if gone.refused:
        told(gone.refused)
        return
    names = f" ({', '.join(gone.versions)})" if gone.versions else ""
    verb = "would go" if dry_run else "went"
    told(f"{len(gone.versions)} versions{names} and {len(gone.files)} files of {gone.size:,} bytes {verb}")


def _say(config: Config, name: str, *, pinned: bool) -> None:
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.versions import named, say_again, versions_of
    from siftstream.schemas.errors import ConfigError

    settings = settings_with_cluster(config)
    version = named(versions_of(settings), name, settings.model.line)
    if pinned and version.collected:
        raise ConfigError(f"the files of {version.version} are deleted already, so there is nothing to pin")
    say_again(settings, version.model_copy(update={"pinned": pinned}))
