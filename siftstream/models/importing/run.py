"""One import from end to end: open, free the batch, normalise, cut, check against the original."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from siftstream.models.encoder import Encoder
from siftstream.models.head import Head, softmax
from siftstream.models.importing import mc_dropout
from siftstream.models.importing.batch_axis import free_batch_axis
from siftstream.models.importing.classes import fit_classes
from siftstream.models.importing.embedding import EMBEDDING, Cut, attach, cut
from siftstream.models.importing.graph import Graph
from siftstream.models.importing.normalisation import normalise
from siftstream.models.importing.options import Options
from siftstream.models.importing.samples import as_read, random_samples
from siftstream.models.importing.sources import Plain, Run, plain
from siftstream.schemas import ModelInput
from siftstream.schemas.arrays import Arrays, Specs, count, rows
from siftstream.schemas.errors import InferenceError, ModelError

Told = Callable[[str], None]
_TRIED = 3  # samples: alone and together they must get the same answers
_CHECKED = 32  # samples at most of those given
TOLERANCE = 2e-3  # of a probability, or relative to the largest number of an embedding


@dataclass(frozen=True, eq=False)
class Imported:
    """A model in our form, and how far it is from what it came from."""

    name: str
    onnx: bytes
    head: Head
    inputs: dict[str, ModelInput]
    passes: int
    difference: float
    """Largest difference of a probability on the samples; without a head of its own, of an embedding."""
    known: bool
    """Whether the head is the model's own."""


def _nothing(words: str) -> None:
    del words


def import_model(
    source: str, options: Options, *, samples: Arrays | None = None, specs: Specs | None = None,
    told: Told = _nothing,
) -> Imported:  # fmt: skip
    """Make a model of theirs ours.

    Args:
        source: A .onnx file, torch:package.module:function, torchvision:NAME, timm:NAME,
            hub:OWNER/REPO:NAME or hf:NAME.
        options: What the user says of it.
        samples: Arrays [B, ...] as the pipeline's transform makes them; none: random ones.
        specs: What that transform makes; sizes that the model leaves open are tried with them.
        told: Hears of each step, in a sentence.

    Raises:
        ConfigError: an option or source that is wrong.
        ModelError: the model cannot be read, changed or run, or does not say the same afterwards.
    """
    came = plain(source, options)
    told(came.words)
    graph = came.graph.copy()
    if mc_dropout.switch(graph, on=False):
        came = replace(came, graph=graph.copy())
    fixed = free_batch_axis(graph)
    if fixed is not None:
        told(f"the batch axis was fixed at {fixed}: free now")
    normal = None if options.raw else normalise(graph, options.mean or came.mean, options.std or came.std)
    if normal is not None:
        told(normal.words)
        if not (options.mean or came.mean):
            told("no mean and std are known: if the model was trained with others, give --mean and --std")
    ready = _samples(graph, options, samples, specs)
    theirs = normal.to_original(ready) if normal is not None else dict(ready)
    place = cut(
        graph, rows(ready, slice(0, _TRIED)), output=options.output, embedding=options.embedding,
        classes=len(options.classes),
    )  # fmt: skip
    dim, pooled = attach(graph, place.tensor, rows(ready, slice(0, _TRIED)))
    told(f"{place.words}{pooled}: {dim} numbers")
    own = place.head if options.head is None else _given_head(options, dim)
    fitted = fit_classes(own, dim, came.classes, options)
    told(fitted.words)
    encoder = Encoder(graph.to_bytes(), providers=("cpu",))
    difference = _checked(encoder, place, own, came, ready, theirs, told, fixed)
    passes = _with_passes(graph, options, told)
    onnx = graph.to_bytes()
    return Imported(
        came.name, onnx, fitted.head, encoder.inputs, passes, difference, fitted.columns is not None
    )


def _samples(
    graph: Graph, options: Options, given: Arrays | None, specs: Specs | None
) -> dict[str, NDArray[np.generic]]:
    if given is not None and count(given) >= _TRIED:
        return as_read(graph.inputs, rows(given, slice(0, _CHECKED)))
    return random_samples(graph.inputs, options.inputs, specs, _TRIED)


def _given_head(options: Options, dim: int) -> Head | None:
    if options.head is None:
        return None
    try:
        head = Head.from_bytes(options.head.read_bytes())
    except OSError as error:
        raise ModelError(f"--head {options.head}: cannot be read: {error.strerror or error}") from error
    if head.dim != dim:
        raise ModelError(
            f"--head: reads embeddings of {head.dim}, the model makes {dim}; they do not belong together"
        )
    return head


def _checked(
    encoder: Encoder, place: Cut, own: Head | None, came: Plain, ready: Arrays, theirs: Arrays, told: Told,
    fixed: int | None,
) -> float:  # fmt: skip
    """Compare with the original, one sample at a time where it takes no more, and tell the difference."""
    try:
        emb_BD = encoder.embed(ready)
        alone_BD = np.concatenate(
            [encoder.embed(rows(ready, slice(at, at + 1))) for at in range(count(ready))]
        )
    except InferenceError as error:
        raise ModelError(f"the imported model does not run on its samples: {error}") from error
    scale = float(np.abs(alone_BD).max()) or 1.0
    apart = float(np.abs(emb_BD - alone_BD).max()) / scale
    if apart > TOLERANCE:
        why = f"its batch was fixed at {fixed}" if fixed is not None else "its samples depend on each other"
        raise ModelError(
            f"the model answers otherwise in a batch of {count(ready)} than one by one (by {apart:.2g} of the"
            f" largest number), because {why}; export it again with a dynamic batch axis"
        )
    if place.holds and own is not None:
        original = _original(came, place.output, theirs, fixed)
        ours = own.probs(emb_BD).mean(axis=1)
        difference = float(np.abs(ours - _probabilities(original, place.holds)).max())
        what = f"probabilities differ from the original's by {difference:.1e} at most"
    else:
        difference = apart
        what = f"embeddings of a batch and of single samples differ by {apart:.1e} of the largest number"
    told(f"checked on {count(ready)} samples: {what}")
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the imported model does not say what the original says: {what}; it is not published"
        )
    return difference


def _original(came: Plain, output: str, theirs: Arrays, fixed: int | None) -> NDArray[np.floating]:
    run: Run = came.original or (lambda arrays: came.graph.run([output], arrays)[0])
    size = fixed or count(theirs)
    if count(theirs) % size:  # a batch of its own size, made of one sample
        parts = [{n: np.repeat(a, size, axis=0) for n, a in rows(theirs, slice(at, at + 1)).items()}
                 for at in range(count(theirs))]  # fmt: skip
        return np.concatenate([run(part)[:1] for part in parts])
    return np.concatenate([run(rows(theirs, slice(at, at + size))) for at in range(0, count(theirs), size)])


def _probabilities(values: NDArray[np.floating], holds: str) -> NDArray[np.floating]:
    values = values.astype(np.float64)
    if holds == "sigmoid":
        return np.concatenate([1 - values, values], axis=1)
    if holds == "probabilities" and (values < 0).any():  # LogSoftmax
        return np.exp(values)
    return values if holds == "probabilities" else softmax(values)


def _with_passes(graph: Graph, options: Options, told: Told) -> int:
    if options.passes == 1:
        return 1
    layers = mc_dropout.switch(graph, on=True)
    mc_dropout.require(layers)
    told(f"Monte-Carlo dropout: {layers} dropout layers stay active, {options.passes} passes a sample")
    return options.passes


__all__ = ["EMBEDDING", "TOLERANCE", "Imported", "import_model"]
