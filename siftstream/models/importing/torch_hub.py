"""`hub:OWNER/REPO:NAME`: a model of torch.hub, or of a folder with a hubconf.py; normalised as ImageNet."""

from pathlib import Path
from typing import Any

from siftstream.models.importing.options import InputOption, Options
from siftstream.models.importing.sources import Module, library, load_weights
from siftstream.models.importing.torchvision_zoo import MEAN, SIZE, STD
from siftstream.schemas.errors import ConfigError, ModelError


def module(name: str, options: Options) -> Module:
    """Call the repository's function; its code runs here, so name only repositories that you trust.

    Raises:
        ConfigError: written in another way.
        ModelError: the repository or the weights cannot be had.
    """
    source = f"hub:{name}"
    torch = library("torch", source)
    place, _, function = name.rpartition(":")
    if not place or not function:
        raise ConfigError(f"{source}: write it as hub:OWNER/REPO:NAME, or hub:FOLDER:NAME")
    own = not (options.random or options.weights)
    try:
        made = _loaded(torch, place, function, pretrained=own)
    except Exception as error:  # a download fails in many ways, and the code is theirs
        words = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise ModelError(f"{source}: cannot be had: {words}; {options.instead}") from error
    if not isinstance(made, torch.nn.Module):
        raise ModelError(f"{source}: {function} gives {type(made).__name__}, a torch.nn.Module expected")
    loaded = load_weights(made, options) or (", its own weights" if own else ", random weights")
    return Module(
        made, function, f"{function} of {place}{loaded}",
        options.inputs or (InputOption("image", (3, SIZE, SIZE)),), mean=MEAN, std=STD,
    )  # fmt: skip


def _loaded(torch: Any, place: str, function: str, *, pretrained: bool) -> Any:
    where: dict[str, Any] = {"source": "local"} if Path(place).is_dir() else {"trust_repo": True}
    try:
        return torch.hub.load(place, function, pretrained=pretrained, **where)
    except TypeError as error:
        if "pretrained" not in str(error):
            raise
        return torch.hub.load(place, function, **where)  # a function without that choice
