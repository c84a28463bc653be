"""`torch:package.module:function`: a callable of the user's that returns a torch module."""

import importlib
import sys
from pathlib import Path

from siftstream.models.importing.options import Options
from siftstream.models.importing.sources import Module, library, load_weights
from siftstream.schemas.errors import ConfigError, ModelError


def module(name: str, options: Options) -> Module:
    """Call the function (or class) and take its module; the current folder is on the import path.

    Raises:
        ConfigError: no such function, or no `--input` is given.
        ModelError: it fails, or returns no torch module.
    """
    source = f"torch:{name}"
    torch = library("torch", source)
    place, _, function = name.rpartition(":")
    if not place or not function:
        raise ConfigError(f"{source}: write it as torch:package.module:function")
    if not options.inputs:
        raise ConfigError(
            f"{source}: needs --input, such as --input 3x224x224 or --input input_ids=128:int64"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        make = getattr(importlib.import_module(place), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{source}: cannot be imported: {error}") from error
    try:
        made = make()
    except Exception as error:  # code of the user's
        raise ModelError(f"{source}: {function}() failed: {type(error).__name__}: {error}") from error
    if not isinstance(made, torch.nn.Module):
        raise ModelError(f"{source}: {function}() returned {type(made).__name__}, a torch.nn.Module expected")
    words = f"{name}: {type(made).__name__} of torch{load_weights(made, options)}"
    return Module(made, function, words, options.inputs)
