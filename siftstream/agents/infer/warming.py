"""A new model's first runs, which are its slowest: made on dummy samples before real ones wait for it."""

from logging import getLogger

import numpy as np

from siftstream.models.loaded import LoadedModel
from siftstream.schemas.arrays import Arrays, Specs
from siftstream.schemas.errors import InferenceError, ModelError

log = getLogger(__name__)


def warm(model: LoadedModel, specs: Specs, size: int) -> None:
    """Run one dummy sample, then a whole device batch of them.

    A model that cannot judge even the one is let through: dummy samples prove nothing, real ones will.

    Raises:
        ModelError: it runs one sample and not `size` at once.
    """
    try:
        model.predict(_ones(specs, 1))
    except InferenceError as error:
        log.warning("model %s cannot judge a dummy sample (%s); the stream will tell", model.version, error)
        return
    try:
        model.predict(_ones(specs, size))
    except InferenceError as error:
        raise ModelError(
            f"model {model.version}: runs one sample but not {size} at once: {error};"
            " export it with a free batch axis, or lower infer.batch.max"
        ) from error


def _ones(specs: Specs, size: int) -> Arrays:
    """Ones, not zeros: a mask of zeros is a text without words, which many models answer with NaN."""
    return {name: np.ones((size, *spec.shape), spec.dtype) for name, spec in specs.items()}
