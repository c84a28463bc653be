"""Arrays made elsewhere: .npy, .npz and safetensors to the declared names, shapes and types."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from siftstream.agents.fetch.transforms.base import Count, Transform, uncounted
from siftstream.agents.fetch.transforms.settings import TensorSettings
from siftstream.agents.fetch.transforms.tensor_file import arrays_in
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import TransformError

Array = NDArray[Any]


class TensorTransform(Transform):
    """Reads the declared arrays of one file.

    >>> import io
    >>> file = io.BytesIO()
    >>> np.save(file, np.array([[1, 2], [3, 4]], ">f8"))
    >>> transform = TensorTransform(TensorSettings.model_validate({"arrays": {"x": {"shape": [2, 2]}}}))
    >>> transform(file.getvalue())
    {'x': array([[1., 2.],
           [3., 4.]], dtype=float32)}
    """

    Settings = TensorSettings
    settings: TensorSettings

    def __init__(self, settings: TensorSettings, count: Count = uncounted) -> None:
        super().__init__(settings, count)
        self._specs = {
            name: ArraySpec(array.shape, np.dtype(array.dtype)) for name, array in settings.arrays.items()
        }
        self._entries = {name: array.entry or name for name, array in settings.arrays.items()}
        self._wanted = {self._entries[name]: spec.shape for name, spec in self._specs.items()}

    @property
    def specs(self) -> dict[str, ArraySpec]:
        """The declared arrays."""
        return self._specs

    def __call__(self, data: bytes) -> dict[str, Array]:
        """Read, convert, check."""
        try:
            found = arrays_in(data, self._wanted, self.settings.max_bytes)
            return {
                name: self._converted(name, found[self._entries[name]], spec.dtype)
                for name, spec in self._specs.items()
            }
        except TransformError:
            raise
        except Exception as error:  # readers fail in every way on bytes made to harm
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise TransformError(f"no readable array: {said}") from error

    def _converted(self, name: str, array: Array, dtype: np.dtype[Any]) -> Array:
        """Return a copy of its own in this type, native and in C order."""
        if array.dtype.kind not in "biuf":
            raise TransformError(f"array {name!r}: {array.dtype!s:.40} is no type of numbers that is read")
        same_kind = array.dtype.kind == dtype.kind or np.can_cast(array.dtype, dtype, "safe")
        if not (same_kind or self.settings.cast):
            raise TransformError(
                f"array {name!r}: {array.dtype} instead of {dtype}; save it as {dtype}, or set cast: true"
            )
        if dtype.kind in "iu" and not _holds(dtype, array):
            raise TransformError(f"array {name!r}: values that {dtype} cannot hold")
        with np.errstate(all="ignore"):
            converted = array.astype(dtype, order="C", copy=True)
        if self.settings.finite and dtype.kind == "f" and not np.isfinite(converted).all():
            raise TransformError(
                f"array {name!r}: NaN or infinity in it as {dtype}; set finite: false if that may be"
            )
        return converted


def _holds(dtype: np.dtype[Any], array: Array) -> bool:
    """Tell whether an integer type holds every value, fractions cut off; NaN it does not."""
    if array.dtype.kind == "b" or np.can_cast(array.dtype, dtype, "safe"):
        return True
    limits = np.iinfo(dtype)
    low, high = array.min(), array.max()
    if array.dtype.kind == "f":  # beside the limits, which a float does not always hit
        return bool(float(limits.min) - 1 < low and high < float(limits.max) + 1)
    return limits.min <= int(low) and int(high) <= limits.max
