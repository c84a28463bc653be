"""Which model is live, as the `models` topic tells it."""

from collections.abc import Callable

from siftstream.models.inputs import check_fit
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.schemas.arrays import Specs
from siftstream.schemas.errors import ConfigError, ModelError
from siftstream.schemas.live import before, gone_live
from siftstream.streams.app import StageApp
from siftstream.streams.record import Record
from siftstream.streams.view import View
from siftstream.streams.work import refused_later


class Versions:
    """A view of one line of models: every version, and the one that went live last.

    What is live follows from the last record of each version alone, so it is the same before and after
    compaction. Pass `changed` to hear of each new live version; it runs in the event loop.
    """

    def __init__(
        self, app: StageApp, line: str, changed: Callable[[ModelVersion], None] | None = None
    ) -> None:
        self._line = line
        self._changed = changed
        self._view = View(app.kafka, app.pipeline, ModelVersion.topic, self._fold, refused_later(app))
        self._app = app
        self._told: ModelVersion | None = None
        self._went: list[ModelVersion] | None = []  # that went live; none: to be found anew
        self.every: dict[bytes, ModelVersion] = {}  # of all lines, by key, in the order of their last records
        self.all: dict[str, ModelVersion] = {}  # of this line, in that order
        app.close_at_stop(self._view.stop)

    @property
    def live(self) -> ModelVersion | None:
        """The live version, none before the first."""
        went = self._gone_live()
        return went[-1] if went else None

    @property
    def before(self) -> ModelVersion | None:
        """The version that was live before the live one and still has its files, if there is one."""
        return before(self.live, list(self.all.values())) if self.live else None

    @property
    def history(self) -> list[str]:
        """Names of versions in the order they went live."""
        retired = [v.version for v in self.all.values() if v.status is VersionStatus.RETIRED]
        return retired + [v.version for v in self._gone_live()]

    async def catch_up(self) -> None:
        """Read all there is; tells of the live version if it is new."""
        await self._view.refresh()
        self._tell()

    def follow(self, heard: Callable[[], None] | None = None) -> None:
        """Go on reading in the background for as long as the app runs; `heard` is called at any news."""

        def tell() -> None:
            self._tell()
            if heard is not None:
                heard()

        async def versions() -> None:
            await self._view.follow(tell)

        self._app.add_future(versions())

    def _fold(self, record: Record) -> None:
        if record.value is None:
            gone = self.every.pop(record.key or b"", None)
            if gone is not None and gone.line == self._line:
                self.all.pop(gone.version, None)
                self._went = None
            return
        version = ModelVersion.decode(record.value)
        self.every.pop(version.key, None)
        self.every[version.key] = version
        if version.line == self._line:
            self.all.pop(version.version, None)
            self.all[version.version] = version
            self._went = None

    def _gone_live(self) -> list[ModelVersion]:
        if self._went is None:
            self._went = gone_live(self.all.values()).get(self._line, [])
        return self._went

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
