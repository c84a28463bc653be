"""The newest head, so that windows can be rescored in place where the encoder is the same."""

import asyncio
from logging import getLogger

from siftstream.agents.select.window import Window
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
        self._head: tuple[ModelVersion, Head] | None = None
        self._loading: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Read what is live now, then follow in the background."""
        await self._versions.catch_up()
        await asyncio.gather(*self._loading)
        self._versions.follow()

    def rescore(self, window: Window) -> None:
        """Let the newest head score the rows of older versions, once a window and version."""
        if self._head is None or window.rescored_to == self._head[0].version:
            return
        version, head = self._head
        window.rescored_to = version.version
        history = self._versions.history
        older = {self._untrained, *history} - {*history[history.index(version.version) :]}
        if version.encoder is not None:
            window.rescore(version.version, version.encoder.sha256, head, older)

    def _load_soon(self, version: ModelVersion) -> None:
        task = asyncio.ensure_future(self._load(version))
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)

    async def _load(self, version: ModelVersion) -> None:
        if version.head is None:
            return
        try:
            data = await asyncio.to_thread(self._store.get, version.head)
            self._head = (version, Head.from_bytes(data))
        except SiftError as error:
            log.warning("windows are not rescored by %s: %s", version.version, error)
