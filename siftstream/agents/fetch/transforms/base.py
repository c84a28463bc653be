"""What every transform is: a callable from bytes to named arrays of shapes and dtypes known beforehand."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from numpy.typing import NDArray
from pydantic import BaseModel

from siftstream.schemas.arrays import Specs

Count = Callable[[str, int], None]


def uncounted(name: str, number: int) -> None:
    """Count nothing: what a transform calls where nobody measures."""


class Transform(ABC):
    """Turns the bytes of one sample into a model's inputs; called from several threads at once.

    A plug-in names its own pydantic model in `Settings`; what stands under `transform:` beside `kind` is
    read by it.
    """

    Settings: ClassVar[type[BaseModel]]

    def __init__(self, settings: Any, count: Count = uncounted) -> None:
        """Args: what `Settings` made of the configuration; what counts oddities that are no errors."""
        self.settings = settings
        self.count = count

    @property
    @abstractmethod
    def specs(self) -> Specs:
        """Name, shape and dtype of each array of one sample, without a batch axis."""

    @abstractmethod
    def __call__(self, data: bytes) -> dict[str, NDArray[Any]]:
        """Return contiguous arrays, exactly those of `specs`.

        Raises:
            TransformError: the bytes are not what this transform reads.
        """
