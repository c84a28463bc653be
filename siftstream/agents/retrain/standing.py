"""What a candidate follows: the live version with its model, or the untrained encoder before there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from logging import getLogger

from siftstream.models.artifacts import ArtifactStore
from siftstream.models.loaded import LoadedModel
from siftstream.models.settings import ModelSettings
from siftstream.models.spare import spare_encoder
from siftstream.schemas import ModelVersion
from siftstream.schemas.arrays import Specs
from siftstream.schemas.errors import ModelError

log = getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """The version and its model (none before the first, or where it is no measure), and its encoder."""

    version: ModelVersion | None
    model: LoadedModel | None
    encoder: bytes


def standing_of(
    live: ModelVersion | None,
    store: ArtifactStore,
    settings: ModelSettings,
    classes: Sequence[str],
    specs: Specs,
    before: Standing | None = None,
) -> Standing:
    """Return what stands; slow, call it in a thread.

    Args:
        live: The version that is live, none: none yet.
        store: Where its files lie.
        settings: How it runs, and the spare encoder.
        classes: Of the pipeline.
        specs: What the transform makes.
        before: What stood a while ago: nothing is loaded again that is the same.

    Raises:
        UnavailableError: the store is away for now.
    """
    if before is not None and before.version == live:
        return before
    if live is not None and live.encoder is not None:
        try:
            model = LoadedModel.load(
                live, store, settings, classes=classes, specs=specs,
                previous=before.model if before is not None else None,
            )  # fmt: skip
            return Standing(live, model, store.get(live.encoder))
        except ModelError as error:  # of other classes or inputs: nothing to be compared with
            log.warning("the live model is no measure for the next: %s", error)
    return Standing(None, None, spare_encoder(specs, settings.seed, settings.dim))
