"""Which model is live, as the `models` topic tells it."""

from collections.abc import Callable

from siftstream.models.inputs import check_fit
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.schemas.arrays import Specs
from siftstream.schemas.errors import ConfigError, ModelError
from siftstream.streams.app import StageApp
from siftstream.streams.record import Record
from siftstream.streams.view import View
from siftstream.streams.work import refused_later


class Versions:
    """A view of one line of models: every version, and the one that went live last.

    Pass `changed` to hear of each new live version; it runs in the event loop.
    """

    def __init__(
        self, app: StageApp, line: str, changed: Callable[[ModelVersion], None] | None = None
    ) -> None:
        self._line = line
        self._changed = changed
        self._view = View(app.kafka, app.pipeline, ModelVersion.topic, self._fold, refused_later(app))
        self._app = app
        self._told: ModelVersion | None = None
        self.all: dict[str, ModelVersion] = {}
        self.live: ModelVersion | None = None
        self.history: list[str] = []  # names of versions in the order they went live
        app.close_at_stop(self._view.stop)

    async def catch_up(self) -> None:
        """Read all there is; tells of the live version if it is new."""
        await self._view.refresh()
        self._tell()

    def follow(self) -> None:
        """Go on reading in the background for as long as the app runs."""

        async def versions() -> None:
            await self._view.follow(self._tell)

        self._app.add_future(versions())

    def _fold(self, record: Record) -> None:
        if record.value is None:
            return
        version = ModelVersion.decode(record.value)
        if version.line != self._line:
            return
        self.all[version.version] = version
        if version.status is VersionStatus.LIVE:
            self.live = version
            self.history.append(version.version)

    def _tell(self) -> None:
        if self._changed is not None and self.live is not None and self.live != self._told:
            self._told = self.live
            self._changed(self.live)


def require_fit(app: StageApp, line: str, specs: Specs) -> None:
    """Let the app start only where the transform makes what the live model reads.

    Raises:
        ConfigError: it does not; before a single record is read.
    """

    async def check() -> None:
        versions = Versions(app, line)
        await versions.catch_up()
        live = versions.live
        if live is not None and live.inputs:
            try:
                check_fit(live.inputs, specs)
            except ModelError as error:
                raise ConfigError(f"transform: does not fit model {live.version}: {error}") from None

    app.first(check)
