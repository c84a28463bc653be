"""Random samples of a graph's inputs, to try it and to compare it with its original."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from siftstream.models.importing.options import InputOption
from siftstream.schemas import ModelInput
from siftstream.schemas.arrays import Arrays, Specs
from siftstream.schemas.errors import ModelError

_FREE = 16  # steps of an axis whose size nobody says
_SIDE = 32  # pixels of one
_IDS = 10  # token ids below it; every vocabulary has as many


def random_samples(
    inputs: Mapping[str, ModelInput],
    told: tuple[InputOption, ...],
    specs: Specs | None,
    count: int,
    seed: int = 0,
) -> dict[str, NDArray[np.generic]]:
    """Return `count` samples of every input: pixels, token ids with a mask, or noise.

    Free axes take the size that `told`, else the pipeline's `specs` say.
    """
    rng = np.random.default_rng(seed)
    shapes = {entry.name: entry.shape for entry in told}
    if len(told) == len(inputs) == 1:
        shapes = dict.fromkeys(inputs, told[0].shape)
    made: dict[str, NDArray[np.generic]] = {}
    for name, spec in inputs.items():
        known = shapes.get(name) or _shape_of(specs, name, len(inputs))
        sizes = _sizes(spec, known if len(known) == len(spec.shape) else ())
        made[name] = _random(rng, name, (count, *sizes), np.dtype(spec.dtype))
    return made


def as_read(inputs: Mapping[str, ModelInput], samples: Arrays) -> dict[str, NDArray[np.generic]]:
    """Return given samples by the graph's own names.

    Raises:
        ModelError: they are not what it reads.
    """
    if len(inputs) == len(samples) == 1:
        samples = dict(zip(inputs, samples.values(), strict=True))
    for name, spec in inputs.items():
        array = samples.get(name)
        if array is None or not spec.reads(array.shape[1:], array.dtype.name):
            there = ", ".join(f"{n} {a.dtype} {'x'.join(map(str, a.shape[1:]))}" for n, a in samples.items())
            raise ModelError(
                f"the model reads {name} {spec}, the transform makes {there};"
                " change `transform`, or import with another --input"
            )
    return {name: samples[name] for name in inputs}


def _shape_of(specs: Specs | None, name: str, inputs: int) -> tuple[int | None, ...]:
    if specs is None:
        return ()
    if name in specs:
        return specs[name].shape
    return next(iter(specs.values())).shape if len(specs) == inputs == 1 else ()


def _sizes(spec: ModelInput, known: tuple[int | None, ...]) -> tuple[int, ...]:
    free = _SIDE if len(spec.shape) == 3 else _FREE
    told = known or (None,) * len(spec.shape)
    return tuple(own or said or free for own, said in zip(spec.shape, told, strict=True))


def _random(
    rng: np.random.Generator, name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    if dtype == np.uint8:
        return rng.integers(0, 256, shape, np.uint8)
    if dtype.kind == "b":
        return np.ones(shape, np.bool_)
    if dtype.kind in "iu":
        if "mask" in name:
            return _mask(shape, dtype)
        if "type" in name:
            return np.zeros(shape, dtype)
        return rng.integers(1, _IDS, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def _mask(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Return masks of sequences that are full, one step shorter, two steps shorter, and so on."""
    if len(shape) != 2:
        return np.ones(shape, dtype)
    samples, steps = shape
    lengths = np.maximum(1, steps - np.arange(samples))
    return (np.arange(steps) < lengths[:, None]).astype(dtype)
