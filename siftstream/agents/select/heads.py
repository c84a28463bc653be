"""The newest head, so that windows can be rescored in place where the encoder is the same."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from logging import getLogger
from typing import Final

from siftstream.agents.select.window.window import Window
from siftstream.agents.versions import Versions
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.settings import ModelSettings
from siftstream.schemas import ModelVersion
from siftstream.schemas.errors import ModelError, SiftError, UnavailableError
from siftstream.streams.app import StageApp

log = getLogger(__name__)
AGAIN_S: Final = 1.0  # pause before the next try while the store is away
FIRST_WITHIN_S: Final = 5.0  # what select waits for the first head before it begins


def _nobody() -> None:
    """Nobody listens before the first partition."""


class LiveHead:
    """Follows the live version; gives its head to each window once."""

    def __init__(
        self, app: StageApp, settings: ModelSettings, untrained: str, classes: Sequence[str] | None = None
    ) -> None:
        """Args: the select app; line and store; the version name scores carry before any training; the
        pipeline's classes: a head of others is refused.
        """
        self._classes = None if classes is None else tuple(classes)
        self._store = ArtifactStore.open(settings.artifacts)
        self._untrained = untrained
        self._versions = Versions(app, settings.line, self._load_soon)
        self._app = app
        self.line = settings.line
        self._head: tuple[ModelVersion, Head] | None = None
        self._loading: set[asyncio.Task[None]] = set()
        self._heard: Callable[[], None] = _nobody
        app.close_at_stop(self._stop)

    async def begin(self, heard: Callable[[], None]) -> None:
        """Read what is live now, then follow in the background; `heard` is called at any news."""
        await self._versions.catch_up()
        if self._loading:  # not for ever: windows fill and choose while the store is away
            await asyncio.wait(self._loading, timeout=FIRST_WITHIN_S)
        self._heard = heard
        self._versions.follow(heard)

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

    @property
    def versions(self) -> int:
        """How many versions of the line there are, whatever became of them."""
        return len(self._versions.all)

    @property
    def ever_trained(self) -> bool:
        """Whether some run was over, whatever became of it."""
        return any(version.upto for version in self._versions.all.values())

    def covered(self, partition: int) -> int:
        """The offset in `labelled` before which some version knew all; 0 while a head is being loaded."""
        known = (version.upto for version in self._versions.all.values())
        covered = (upto[partition] for upto in known if partition < len(upto))
        return 0 if self._loading else max(covered, default=0)

    def rescore(self, window: Window) -> None:
        """Let the newest head score the rows of older versions, once a window and version."""
        if self._head is None or window.rescored_to == self._head[0].version:
            return
        version, head = self._head
        window.rescored_to = version.version
        if version.encoder is not None and version.passes == 1:  # a head alone cannot repeat the passes
            older = older_than(version.version, self._versions.history, self._untrained)
            try:
                window.rescore(version.version, version.encoder.sha256, head, older)
            except ModelError as error:  # infer refuses it as well: old scores stay
                log.error("windows are not rescored by %s: %s", version.version, error)

    def _load_soon(self, version: ModelVersion) -> None:
        task = asyncio.ensure_future(self._load(version))
        self._loading.add(task)
        task.add_done_callback(self._loaded)

    def _loaded(self, task: asyncio.Task[None]) -> None:
        self._loading.discard(task)
        self._heard()  # windows wait to be scored by it

    async def _stop(self) -> None:
        for task in self._loading:
            task.cancel()
        await asyncio.gather(*self._loading, return_exceptions=True)

    async def _load(self, version: ModelVersion) -> None:
        """Load a version's head; while the store is away try again, as long as that version is live."""
        while version == self._versions.live:  # a newer one may be quicker
            try:
                head = await asyncio.to_thread(self._read, version)
            except UnavailableError as error:
                log.warning("windows are not rescored by %s yet: %s", version.version, error)
                await asyncio.sleep(AGAIN_S)
            except SiftError as error:
                log.error("windows are not rescored by %s, %s: %s", version.version, self._stays(), error)
                return
            else:
                if head is not None and version == self._versions.live:
                    self._head = (version, head)
                    log.info("select has the head of %s", version.version)
                return

    def _read(self, version: ModelVersion) -> Head | None:
        if version.head is None:
            return None
        if self._classes is not None and version.classes != self._classes:
            raise ModelError(
                f"model {version.version}: is of the classes {', '.join(version.classes)[:80]}, the pipeline"
                " has others; train a new one or give it a line of its own (model.line)"
            )
        if version.collected:
            raise ModelError(f"model {version.version}: its files were deleted by the retention rule")
        head = Head.from_bytes(self._store.get(version.head))
        if head.classes != len(version.classes):
            raise ModelError(
                f"model {version.version}: the head knows {head.classes} classes, the version names"
                f" {len(version.classes)}"
            )
        return head

    def _stays(self) -> str:
        return f"the head of {self._head[0].version} stays" if self._head else "there is no head yet"


def older_than(version: str, history: Sequence[str], untrained: str) -> set[str]:
    """Return the versions that were live before this one went live, the last time it did.

    >>> sorted(older_than("v1", ["v1", "v2", "v1"], "spare"))  # v1 came back: what v2 said is old
    ['spare', 'v2']
    >>> sorted(older_than("v1", ["v1", "v2"], "spare"))
    ['spare']
    """
    if version not in history:  # it is live no longer, by a word that came while its head was being loaded
        return set()
    went_live = len(history) - 1 - [*reversed(history)].index(version)
    return {untrained, *history[:went_live]} - {version}
