"""What a model says of rows: where it fails, they are parted until each bad row stands alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from siftstream.models.loaded import LoadedModel
from siftstream.schemas.arrays import Arrays, rows
from siftstream.schemas.errors import InferenceError


@dataclass(frozen=True)
class Judged:
    """Rows that a model could judge, with what it said, and the reasons of the others."""

    model: LoadedModel
    good: NDArray[np.intp]  # in order
    probs_BMC: NDArray[np.float32]  # of the good rows
    emb_BD: NDArray[np.float32]
    bad: dict[int, InferenceError]  # by row

    @property
    def hopeless(self) -> bool:
        """Whether it could judge none of them."""
        return not len(self.good)


def judged(model: LoadedModel, inputs: Arrays, which: NDArray[np.intp], *, singly: bool = False) -> Judged:
    """Run rows through a model.

    Args:
        model: The model.
        inputs: Arrays of a device batch.
        which: The rows of it that are judged, in order.
        singly: Where it fails try each row alone at once instead of halving: less work where most fail.
    """
    whole = len(which) == len(next(iter(inputs.values())))
    try:
        probs_BMC, emb_BD = model.predict(inputs if whole else rows(inputs, which))
        if not np.isfinite(probs_BMC).all():
            raise InferenceError(f"model {model.version} answered with a number that is not finite")
        return Judged(model, which, probs_BMC, emb_BD, {})
    except InferenceError as error:
        if len(which) == 1:
            return _none(model, which, error)
    parts = np.array_split(which, len(which) if singly else 2)
    return _together([judged(model, inputs, part, singly=singly) for part in parts])


def _none(model: LoadedModel, which: NDArray[np.intp], error: InferenceError) -> Judged:
    nothing = np.zeros((0, model.members, model.head.classes), np.float32)
    return Judged(
        model, which[:0], nothing, np.zeros((0, model.head.dim), np.float32), {int(which[0]): error}
    )


def _together(parts: list[Judged]) -> Judged:
    said = [part for part in parts if not part.hopeless] or parts[:1]
    return Judged(
        parts[0].model,
        np.concatenate([part.good for part in said]),
        np.concatenate([part.probs_BMC for part in said]),
        np.concatenate([part.emb_BD for part in said]),
        {row: error for part in parts for row, error in part.bad.items()},
    )
