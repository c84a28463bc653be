"""What every transform is: a callable from bytes to an array whose shape and dtype are known beforehand."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.settings import TransformSettings


class Transform(ABC):
    """Turns the bytes of one sample into a model's input; called from several threads at once."""

    def __init__(self, settings: TransformSettings) -> None:
        self.settings = settings

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample, without a batch dimension."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """The dtype of one sample."""

    @abstractmethod
    def __call__(self, data: bytes) -> NDArray[Any]:
        """Return a contiguous array of exactly `shape` and `dtype`.

        Raises:
            TransformError: the bytes are not what this transform reads.
        """
