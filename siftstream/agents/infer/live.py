"""The model that a line runs: loaded and warmed beside the work, swapped between two batches."""

import asyncio
from collections.abc import Sequence
from logging import getLogger

from siftstream.agents.infer.deployment import Deployment
from siftstream.agents.infer.warming import warm
from siftstream.agents.versions import Versions
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import SPARE, ModelSettings
from siftstream.schemas import ModelVersion
from siftstream.schemas.arrays import Specs
from siftstream.schemas.errors import ModelError, SiftError, UnavailableError
from siftstream.streams.app import StageApp

log = getLogger(__name__)


class LiveModel:
    """Follows a line's newest live version and deploys it."""

    def __init__(
        self,
        app: StageApp,
        settings: ModelSettings,
        classes: Sequence[str],
        specs: Specs,
        *,
        beside: "LiveModel | None" = None,
    ) -> None:
        """Args: the infer app; line and store; class names; what the transform makes; the main line, beside
        which this one runs: it may lend its encoder, and there is no need of a random-initialised spare.
        """
        self._settings, self._classes, self._specs = settings, tuple(classes), specs
        self._app, self._beside = app, beside
        self._store = ArtifactStore.open(settings.artifacts)
        self._arrived = asyncio.Event()
        self._settles = asyncio.Event()
        self._settled: ModelVersion | None = None  # the last version that was deployed or refused
        self._versions = Versions(app, settings.line, lambda _: self._arrived.set())
        first = LoadedModel.spare(specs, self._classes, settings) if beside is None else None
        self.deployment = Deployment(settings.line, first)
        self._batch = 1  # samples of the usual device batch

    @property
    def model(self) -> LoadedModel:
        """The model of the moment; the main line always has one, another line from its first version on."""
        assert self.deployment.model is not None, f"line {self._settings.line} has no model yet"
        return self.deployment.model

    def beside(self, line: str) -> "LiveModel":
        """Return another line of models on the same features."""
        settings = self._settings.model_copy(update={"line": line})
        return LiveModel(self._app, settings, self._classes, self._specs, beside=self)

    async def begin(self, batch: int) -> None:
        """Load what is live before the first batch, then follow in the background.

        Args:
            batch: Samples of the usual device batch; new models are warmed with as many.
        """
        self._batch = batch
        await self._versions.catch_up()
        if self._versions.live is not None:
            await self._swap(self._versions.live)
        self._versions.follow()
        self._app.add_future(self._swap_as_they_come())

    async def settled(self, within: float) -> bool:
        """Wait until what the log now says is live is deployed or refused; tell whether it is.

        Args:
            within: Seconds to wait at most.

        Raises:
            UnavailableError: the cluster does not answer.
        """
        await self._versions.catch_up()
        try:
            async with asyncio.timeout(within):
                while self._versions.live != self._settled:
                    self._settles.clear()
                    await self._settles.wait()
        except TimeoutError:
            return False
        return True

    def _settle(self, version: ModelVersion | None) -> None:
        self._settled = version
        self._settles.set()

    async def _swap_as_they_come(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            live, running = self._versions.live, self.deployment.model
            if live is not None and (running is None or live.version != running.version):
                await self._swap(live)
            else:
                self._settle(live)

    async def _swap(self, version: ModelVersion) -> None:
        try:
            self.deployment.deploy(await asyncio.to_thread(self._load, version))
            log.info("infer runs model %s of line %s", version.version, version.line)
        except UnavailableError as error:
            log.warning("model %s is not loaded yet: %s", version.version, error)
            await asyncio.sleep(1.0)
            self._arrived.set()
            return
        except ModelError as error:
            log.error("model %s is refused, %s: %s", version.version, self._stays(), error)
            await self._stand_in()
        except Exception:  # one bad version must not end the worker, and every worker after it
            log.exception("model %s is refused, %s", version.version, self._stays())
            await self._stand_in()
        self._settle(version)

    async def _stand_in(self) -> None:
        """Where nothing trained runs yet (a restart), run what was live before the version refused."""
        running, earlier = self.deployment.model, self._versions.before
        if earlier is None or (running is not None and running.version != SPARE):
            return
        try:
            self.deployment.deploy(await asyncio.to_thread(self._load, earlier))
            log.warning("infer runs model %s of line %s meanwhile", earlier.version, earlier.line)
        except SiftError as error:
            log.error("model %s, which was live before it, is refused as well: %s", earlier.version, error)
        except Exception:
            log.exception("model %s, which was live before it, is refused as well", earlier.version)

    def _stays(self) -> str:
        running = self.deployment.model
        return f"{running.version} stays" if running else f"line {self._settings.line} still has none"

    def _load(self, version: ModelVersion) -> LoadedModel:
        lender = self._lender(version)
        model = LoadedModel.load(
            version, self._store, self._settings, classes=self._classes, specs=self._specs, previous=lender
        )  # fmt: skip
        if lender is None or model.encoder is not lender.encoder:  # which is warm
            warm(model, self._specs, self._batch)
        return model

    def _lender(self, version: ModelVersion) -> LoadedModel | None:
        """Return the running model, of this line or the main one, that has the version's encoder loaded."""
        running = [self.deployment.model, self._beside.model if self._beside else None]
        sha256 = version.encoder.sha256 if version.encoder else ""
        return next((model for model in running if model and model.encoder.sha256 == sha256), None)
