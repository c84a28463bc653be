"""The newest head, so that windows can be rescored in place where the encoder is the same."""

import asyncio
from collections.abc import Mapping, Sequence
from logging import getLogger

from siftstream.agents.select.window.window import Window
from siftstream.agents.versions import Versions
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.settings import ModelSettings
from siftstream.schemas import ModelVersion
from siftstream.schemas.errors import SiftError
from siftstream.streams.app import StageApp

log = getLogger(__name__)


class LiveHead:
    """Follows the live version; gives its head to each window once."""

    def __init__(self, app: StageApp, settings: ModelSettings, untrained: str) -> None:
        """Args: the select app; line and store; the version name scores carry before any training."""
        self._store = ArtifactStore.open(settings.artifacts)
        self._untrained = untrained
        self._versions = Versions(app, settings.line, self._load_soon)
        self._app = app
        self.line = settings.line
        self._head: tuple[ModelVersion, Head] | None = None
        self._loading: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Read what is live now, then follow in the background."""
        await self._versions.catch_up()
        await asyncio.gather(*self._loading)
        self._versions.follow()

    @property
    def head(self) -> tuple[str, Head] | None:
        """The live version and its head, once loaded."""
        return self._head and (self._head[0].version, self._head[1])

    @property
    def told(self) -> ModelVersion | None:
        """The live version, whose head may not be loaded yet."""
        return self._versions.live

    @property
    def version(self) -> str:
        """The live version's name; empty where there is none."""
        return "" if self.told is None else self.told.version

    @property
    def learned(self) -> Mapping[str, int]:
        """Labels of each class that the live version learned from."""
        return {} if self.told is None else self.told.learned_from

    @property
    def accuracies(self) -> dict[str, float]:
        """The accuracy of each version of the line on the held-out and audit samples, where it is known."""
        versions = self._versions.all.values()
        return {v.version: v.metrics["accuracy"] for v in versions if "accuracy" in v.metrics}

    def rescore(self, window: Window) -> None:
        """Let the newest head score the rows of older versions, once a window and version."""
        if self._head is None or window.rescored_to == self._head[0].version:
            return
        version, head = self._head
        window.rescored_to = version.version
        if version.encoder is not None and version.passes == 1:  # a head alone cannot repeat the passes
            older = older_than(version.version, self._versions.history, self._untrained)
            window.rescore(version.version, version.encoder.sha256, head, older)

    def _load_soon(self, version: ModelVersion) -> None:
        task = asyncio.ensure_future(self._load(version))
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)

    async def _load(self, version: ModelVersion) -> None:
        if version.head is None:
            return
        try:
            head = Head.from_bytes(await asyncio.to_thread(self._store.get, version.head))
            if version == self._versions.live:  # a newer one may have been quicker
                self._head = (version, head)
        except SiftError as error:
            log.warning("windows are not rescored by %s: %s", version.version, error)


def older_than(version: str, history: Sequence[str], untrained: str) -> set[str]:
    """Return the versions that were live before this one went live, the last time it did.

    >>> sorted(older_than("v1", ["v1", "v2", "v1"], "spare"))  # v1 came back: what v2 said is old
    ['spare', 'v2']
    >>> sorted(older_than("v1", ["v1", "v2"], "spare"))
    ['spare']
    """
    went_live = len(history) - 1 - [*reversed(history)].index(version)
    return {untrained, *history[:went_live]} - {version}
