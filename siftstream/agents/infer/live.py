"""The model that infer runs: loaded beside the work, swapped between two batches."""

import asyncio
from collections.abc import Sequence
from logging import getLogger

from siftstream.agents.versions import Versions
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import ModelSettings
from siftstream.schemas import ModelVersion
from siftstream.schemas.arrays import Specs
from siftstream.schemas.errors import ModelError, UnavailableError
from siftstream.streams.app import StageApp

log = getLogger(__name__)


class LiveModel:
    """Holds the newest live version of a line; before any, a random-initialised spare."""

    def __init__(self, app: StageApp, settings: ModelSettings, classes: Sequence[str], specs: Specs) -> None:
        self._settings = settings
        self._classes = tuple(classes)
        self._specs = specs
        self._store = ArtifactStore.open(settings.artifacts)
        self._arrived = asyncio.Event()
        self._versions = Versions(app, settings.line, lambda _: self._arrived.set())
        self._app = app
        self.model = LoadedModel.spare(specs, self._classes, settings)

    async def begin(self) -> None:
        """Load what is live before the first batch, then follow in the background."""
        await self._versions.catch_up()
        if self._versions.live is not None:
            await self._swap(self._versions.live)
        self._versions.follow()
        self._app.add_future(self._swap_as_they_come())

    async def _swap_as_they_come(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._versions.live is not None and self._versions.live.version != self.model.version:
                await self._swap(self._versions.live)

    async def _swap(self, version: ModelVersion) -> None:
        try:
            self.model = await asyncio.to_thread(self._load, version)
            log.info("infer runs model %s", version.version)
        except UnavailableError as error:
            log.warning("model %s is not loaded yet: %s", version.version, error)
            await asyncio.sleep(1.0)
            self._arrived.set()
        except ModelError as error:
            log.error("model %s is refused, %s stays: %s", version.version, self.model.version, error)

    def _load(self, version: ModelVersion) -> LoadedModel:
        return LoadedModel.load(
            version, self._store, self._settings, classes=self._classes,
            specs=self._specs, previous=self.model,
        )  # fmt: skip
