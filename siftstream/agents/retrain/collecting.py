"""Deletes what the retention rule lets go: told first, looked at again, then deleted."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from logging import getLogger
from typing import Final

from siftstream.agents.retrain.settings import KeepSettings
from siftstream.models.artifacts import ArtifactStore, Stored
from siftstream.models.retention import collectable, unnamed
from siftstream.models.settings import ModelSettings
from siftstream.schemas import ModelVersion
from siftstream.schemas.errors import SiftError

log = getLogger(__name__)
DAY_S: Final = 86_400.0
EVERY_S: Final = 60.0  # a listing of the store costs a request for each thousand files


@dataclass(frozen=True)
class Topic:
    """The `models` topic of a pipeline, as a collector sees it.

    `pipeline` is its name; `read` gives the versions of all lines in the order of their last records, as the
    log is now; `publish` writes one and returns when the broker has it.
    """

    pipeline: str
    read: Callable[[], Awaitable[Sequence[ModelVersion]]]
    publish: Callable[[ModelVersion], Awaitable[None]]


@dataclass(frozen=True)
class Collected:
    """What went, or would go: versions by name, files, and what dead writers left half written."""

    versions: tuple[str, ...] = ()
    files: tuple[Stored, ...] = ()
    parts: int = 0
    refused: str = ""  # why nothing goes

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(file.size for file in self.files)


async def collect(
    topic: Topic, store: ArtifactStore, line: str, keep: KeepSettings, *,
    now: Callable[[], float] = time.time, dry_run: bool = False,
) -> Collected:  # fmt: skip
    """Let the retention rule have its way with a line; return what went.

    Versions are published as collected before a file is touched: after a crash between the two the next
    collector deletes the files. Then the log is read again, so what was promoted, pinned or published
    meanwhile keeps its files. A file that is put at that very moment stays: its age has begun anew. Nothing
    goes where other pipelines keep models in the same store.

    Args:
        topic: Reads and writes `models`.
        store: Where the files lie.
        line: The line whose versions may go.
        keep: The rule.
        now: The clock, seconds since the epoch.
        dry_run: Only tell what would go.

    Raises:
        UnavailableError: Kafka or the store is away; ModelError: the store refuses. What is left goes the
            next time.
    """
    owners = await asyncio.to_thread(store.claim, topic.pipeline)
    if len(owners) > 1:  # what others need cannot be told from this topic
        return Collected(
            refused=f"the store holds models of several pipelines ({', '.join(owners)}) and none is deleted;"
            " give each pipeline a model.artifacts of its own"
        )
    young = now() - keep.days * DAY_S
    versions = await topic.read()
    marked = collectable(versions, line, keep.versions, young)
    names = tuple(version.version for version in marked)
    if not dry_run:
        for version in marked:
            await topic.publish(version)
        if marked:
            versions = await topic.read()
    else:
        gone = {version.key for version in marked}
        versions = [v for v in versions if v.key not in gone]
    files = unnamed(versions, await asyncio.to_thread(store.files), young)
    if dry_run:
        return Collected(names, files)
    return await asyncio.to_thread(_delete, store, names, files, young)


class Collector:
    """A trainer's part in it: after its publications, once in a while, and never in its way."""

    def __init__(
        self, topic: Topic, model: ModelSettings, keep: KeepSettings,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """Args: reads and writes `models`; the line and its store; the rule; a clock, in seconds."""
        self._topic, self._keep, self._line, self._now = topic, keep, model.line, now
        self._store = ArtifactStore.open(model.artifacts)
        self._next = -math.inf
        self._told = ""

    async def after_publication(self) -> None:
        """Collect, unless it was done less than a minute ago; what is away now is tried the next time."""
        if self._now() < self._next:
            return
        self._next = self._now() + EVERY_S
        try:
            gone = await collect(self._topic, self._store, self._line, self._keep)
        except SiftError as error:
            log.warning("retention: nothing more is deleted now: %s", error)
            return
        if gone.refused and gone.refused != self._told:
            self._told = gone.refused
            log.warning("retention: %s", gone.refused)


def _delete(store: ArtifactStore, names: tuple[str, ...], files: Sequence[Stored], young: float) -> Collected:
    gone = Collected(names, tuple(f for f in files if store.delete(f.name, young)), store.clear(young))
    if gone.versions or gone.files:
        log.info(
            "retention: %d versions collected, %d files of %d bytes deleted",
            len(gone.versions), len(gone.files), gone.size,
        )  # fmt: skip
    return gone
