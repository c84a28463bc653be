"""Pictures as a model reads them: uint8 [channels, height, width]."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from siftstream.agents.fetch.loaders.file import path_of


def decoded(data: bytes) -> NDArray[np.uint8]:
    """Return a JPEG as uint8 [3, height, width], of its own size."""
    return np.ascontiguousarray(simplejpeg.decode_jpeg(data).transpose(2, 0, 1))


def ready(uris: Sequence[str]) -> NDArray[np.uint8]:
    """Return files of one size as [B, 3, height, width]."""
    return np.stack([decoded(Path(path_of(uri)).read_bytes()) for uri in uris])
