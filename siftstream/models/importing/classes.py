"""From a model's classes to the pipeline's: the same in another order, a part of them, or a new head."""

from dataclasses import dataclass, replace

import numpy as np

from siftstream.models.head import Head
from siftstream.models.importing.options import Options
from siftstream.schemas.errors import ConfigError


@dataclass(frozen=True)
class Fitted:
    """A head for the pipeline's classes; `columns` says which of the model's outputs became which of them."""

    head: Head
    columns: tuple[int, ...] | None
    words: str


def fit_classes(head: Head | None, dim: int, known: tuple[str, ...], options: Options) -> Fitted:
    """Return a head that answers the pipeline's classes in their order.

    Args:
        head: The model's own; none: it has no classes.
        dim: Numbers of an embedding.
        known: What the model's library calls its classes; `options.model_classes` go before.
        options: The pipeline's classes.

    Raises:
        ConfigError: classes named twice, or as many as the head has not, or none of the pipeline's.
    """
    wanted = options.classes
    if head is None:
        words = f"no head is known: a new one, all {len(wanted)} classes equally likely until it is trained"
        return Fitted(Head.uniform(1, dim, len(wanted)), None, words)
    named = options.model_classes
    if named and (len(named) != head.classes or len(set(named)) != len(named)):
        raise ConfigError(
            f"--classes: {len(named)} names, the model answers {head.classes} different classes"
        )
    if named and not set(wanted) <= set(named):
        missing = next(name for name in wanted if name not in named)
        raise ConfigError(
            f"--classes: {missing!r} of the pipeline is not among them; name the model's outputs as the"
            " configuration names its classes, or leave --classes out"
        )
    named = named or (known if set(wanted) <= set(known) and len(known) == head.classes else ())
    if named and named != wanted:
        columns = tuple(named.index(name) for name in wanted)
        picked = np.array(columns)
        kept = replace(head, weights_MDC=head.weights_MDC[:, :, picked], bias_MC=head.bias_MC[:, picked])
        return Fitted(
            kept, columns, f"{len(wanted)} of the model's {head.classes} classes, in the pipeline's order"
        )
    if head.classes == len(wanted):
        words = f"the model's {head.classes} classes are taken as {', '.join(wanted[:5])}" + ", ..." * (
            len(wanted) > 5
        )
        return Fitted(head, tuple(range(head.classes)), words)
    words = (
        f"the model answers {head.classes} classes, the pipeline has {len(wanted)}:"
        " a new head, all equally likely until it is trained"
    )
    return Fitted(Head.uniform(1, dim, len(wanted)), None, words)
