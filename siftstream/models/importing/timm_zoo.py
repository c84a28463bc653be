"""`timm:NAME`: a classifier of PyTorch Image Models, normalised as its configuration says."""

from typing import Any

from siftstream.models.importing.options import InputOption, Options
from siftstream.models.importing.sources import Module, library, load_weights
from siftstream.schemas.errors import ConfigError, ModelError


def module(name: str, options: Options) -> Module:
    """Make the model with the library's weights, random ones, or those of a file.

    Raises:
        ConfigError: timm is not installed, or has no such model.
        ModelError: the weights cannot be had.
    """
    source = f"timm:{name}"
    timm = library("timm", source)
    if not timm.is_model(name.partition(".")[0]):
        raise ConfigError(f"{source}: timm has no model of that name; timm.list_models() lists them")
    own = not (options.random or options.weights)
    try:
        made = timm.create_model(name, pretrained=own)
    except Exception as error:  # a download fails in many ways
        raise ModelError(f"{source}: its weights cannot be had: {error}; {options.instead}") from error
    loaded = load_weights(made, options)
    config: dict[str, Any] = timm.data.resolve_model_data_config(made)
    return Module(
        made, name, f"{name} of timm{loaded or (', its own weights' if own else ', random weights')}",
        options.inputs or (InputOption("image", tuple(config["input_size"])),),
        mean=tuple(config["mean"]), std=tuple(config["std"]),
    )  # fmt: skip
