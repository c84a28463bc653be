"""Samples as the model's inputs: the fetch stage's loaders and transform, once for the whole experiment."""

import asyncio
import io
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms import Transform, make_transform
from siftstream.agents.fetch.transforms.settings import ImageSettings
from siftstream.experiment.data import Known
from siftstream.schemas.arrays import Arrays, stacked
from siftstream.schemas.errors import BadRecord, ConfigError
from siftstream.settings import Settings

LARGEST: Final = 64  # pixels a side, of images that no configuration speaks of
_BATCH: Final = 512
Told = Callable[[str], None]


async def read_samples(
    samples: Sequence[Known], settings: Settings, told: Told
) -> tuple[NDArray[np.bool_], dict[str, NDArray[Any]]]:
    """Return which samples could be read [N], and the inputs [n, ...] of those.

    Without `transform:` in the configuration, images are taken at the size of the first one.

    Raises:
        ConfigError: none could be read.
    """
    async with Reader(_open_to_archives(settings.fetch)) as reader:
        transform = make_transform(await _transform(reader, samples, settings, told))
        found: list[Arrays | BadRecord] = []
        for at in range(0, len(samples), _BATCH):
            part = samples[at : at + _BATCH]
            found += await asyncio.gather(*(_one(reader, transform, known.uri) for known in part))
    bad = [one for one in found if isinstance(one, BadRecord)]
    if len(bad) == len(found):
        raise ConfigError(f"no sample can be read: {bad[0]}")
    if bad:
        told(f"{len(bad):,} samples are left out, the first because: {bad[0]}")
    return np.array([not isinstance(one, BadRecord) for one in found], bool), stacked(
        [one for one in found if not isinstance(one, BadRecord)]
    )


async def _one(reader: Reader, transform: Transform, uri: str) -> Arrays | BadRecord:
    try:
        async with reader.reading(uri) as data:
            return await asyncio.to_thread(transform, data)
    except BadRecord as error:
        return error


async def _transform(reader: Reader, samples: Sequence[Known], settings: Settings, told: Told) -> Any:
    if "transform" in settings.model_fields_set:
        return settings.transform
    data = await reader.read(samples[0].uri)
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height, grey = *image.size, image.mode in ("1", "L", "LA", "I;16")
    except UnidentifiedImageError as error:
        raise ConfigError(
            "the first sample is no image, and nothing says how to read it: write `transform:` in a"
            " configuration and give it by -c"
        ) from error
    shrunk = min(1.0, LARGEST / max(width, height))
    size = ImageSettings(
        width=max(1, round(width * shrunk)), height=max(1, round(height * shrunk)), channels=1 if grey else 3
    )
    told(
        "no `transform:` is configured: images as the first one,"
        f" transform: {{kind: image, width: {size.width}, height: {size.height}, channels: {size.channels}}}"
    )
    return size


def _open_to_archives(fetch: FetchSettings) -> FetchSettings:
    """Let members of a zip and texts of a table be read: a person named them on the command line."""
    return fetch.model_copy(update={"schemes": tuple(dict.fromkeys((*fetch.schemes, "zip", "file", "data")))})
