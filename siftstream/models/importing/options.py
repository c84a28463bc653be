"""What one import may be told, and how an input is written on the command line."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from siftstream.schemas.errors import ConfigError

_INPUT = re.compile(
    r"(?:(?P<name>[A-Za-z_][\w.:/-]*)=)?(?P<shape>[0-9a-zA-Z?*]+?(?:x[0-9a-zA-Z?*]+?)*)(?::(?P<dtype>\w+))?"
)
_ANY = ("any", "?", "*")


@dataclass(frozen=True)
class InputOption:
    """One input of a model to be exported: its shape without the batch axis (none: any size) and dtype.

    >>> InputOption.parse("ids=any:int64")
    InputOption(name='ids', shape=(None,), dtype='int64')
    >>> InputOption.parse("3x224x224").shape
    (3, 224, 224)
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"

    @classmethod
    def parse(cls, words: str) -> Self:
        """Read `[NAME=]3x224x224[:DTYPE]`.

        Raises:
            ConfigError: written in another way.
        """
        found = _INPUT.fullmatch(words.strip())
        try:
            if found is None:
                raise ValueError
            shape = tuple(None if part in _ANY else int(part) for part in found["shape"].split("x"))
            dtype = np.dtype(found["dtype"] or "float32").name
        except (TypeError, ValueError):
            raise ConfigError(
                f"--input {words}: write it as 3x224x224, or NAME=SHAPE:DTYPE such as input_ids=128:int64;"
                " `any` is a free axis"
            ) from None
        return cls(found["name"] or "input", shape, dtype)


@dataclass(frozen=True)
class Options:
    """How a model is imported; what is not told comes from the model, or from the library it is of."""

    classes: tuple[str, ...]
    """The pipeline's classes: what the head will answer, in this order."""
    model_classes: tuple[str, ...] = ()
    """What the model's own outputs mean, in their order; empty: what its library says, else `classes`."""
    inputs: tuple[InputOption, ...] = ()
    """Shapes and dtypes, where the model does not say them (torch modules, free axes of ONNX files)."""
    mean: tuple[float, ...] = ()
    """Of the pixels scaled to 0..1, one a channel or one for all."""
    std: tuple[float, ...] = ()
    raw: bool = False
    """Leave image inputs as they are: no normalisation is added."""
    output: str = ""
    """The output that holds logits or probabilities; empty: the one that looks like it."""
    embedding: str = ""
    """The inner tensor that is the embedding; empty: the input of the last linear layer."""
    head: Path | None = None
    """A safetensors head for a model that has an `embedding` output already."""
    weights: Path | None = None
    """Weights for a model of a library or of a callable, a safetensors file or a torch state dict."""
    random: bool = False
    """Take a library's model with random weights."""
    instead: str = "try --weights FILE"
    """What to do where a library's own weights cannot be had."""
    passes: int = 1
    """Monte-Carlo dropout: runs a sample, each with masks of its own; 1: dropout stays off."""
    opset: int = 20
    """ONNX opset of what is exported."""
