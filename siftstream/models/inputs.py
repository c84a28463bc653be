"""What a model reads, and whether a transform's arrays fit it."""

from collections.abc import Mapping
from typing import TypeVar

from siftstream.schemas import ModelInput
from siftstream.schemas.arrays import Specs, described
from siftstream.schemas.errors import ModelError

T = TypeVar("T")


def paired(inputs: Mapping[str, ModelInput], given: Mapping[str, T]) -> dict[str, T] | None:
    """Return what is given by the model's own names; None where the names do not fit.

    One array and one input belong together whatever their names.
    """
    if len(given) == len(inputs) == 1:
        return dict(zip(inputs, given.values(), strict=True))
    return {name: given[name] for name in inputs} if given.keys() == inputs.keys() else None


def check_fit(inputs: Mapping[str, ModelInput], specs: Specs) -> None:
    """Compare what a transform makes with what a model reads: names, shapes and dtypes.

    Raises:
        ModelError: they do not fit; the message shows both.
    """
    pairs = paired(inputs, specs)
    if pairs is not None and all(
        inputs[name].reads(spec.shape, spec.dtype.name) for name, spec in pairs.items()
    ):
        return
    reads = ", ".join(f"{name} {entry}" for name, entry in inputs.items())
    raise ModelError(
        f"the model reads {reads}, the transform makes {described(specs)};"
        " change `transform`, or run a model that was made for it"
    )
