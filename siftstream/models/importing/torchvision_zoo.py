"""`torchvision:NAME`: a classifier of torchvision, normalised as its weights were trained."""

from siftstream.models.importing.options import InputOption, Options
from siftstream.models.importing.sources import Module, library, load_weights
from siftstream.schemas.errors import ConfigError, ModelError

MEAN, STD, SIZE = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
    224,
)  # of ImageNet, on which all are trained


def module(name: str, options: Options) -> Module:
    """Make the model with the library's default weights, random ones, or those of a file.

    Raises:
        ConfigError: torchvision is not installed, or has no such model.
        ModelError: the weights cannot be had.
    """
    source = f"torchvision:{name}"
    models = library("torchvision.models", source)
    try:
        known = models.get_model_weights(name)
    except ValueError as error:
        raise ConfigError(f"{source}: torchvision has no model of that name ({error})") from error
    own = None if options.random or options.weights else known.DEFAULT
    try:
        made = models.get_model(name, weights=own)
    except Exception as error:  # a download fails in many ways
        raise ModelError(f"{source}: its weights cannot be had: {error}; {options.instead}") from error
    loaded = load_weights(made, options) or (f", weights {own.name}" if own else ", random weights")
    preset = known.DEFAULT.transforms()
    size = next(iter(getattr(preset, "crop_size", ()) or ()), SIZE)
    return Module(
        made, name, f"{name} of torchvision{loaded}",
        options.inputs or (InputOption("image", (3, size, size)),),
        mean=tuple(getattr(preset, "mean", MEAN)), std=tuple(getattr(preset, "std", STD)),
        classes=tuple(known.DEFAULT.meta.get("categories", ())) if own is not None else (),
    )  # fmt: skip
