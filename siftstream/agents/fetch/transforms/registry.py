"""Transforms by kind: the built-in ones, and plug-ins from the entry point group `siftstream.transforms`."""

from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from pydantic import BaseModel, ValidationError

from siftstream.agents.fetch.transforms.base import Count, Transform, uncounted
from siftstream.agents.fetch.transforms.settings import BUILT_IN, ImageSettings, PlugInSettings
from siftstream.schemas.errors import ConfigError

GROUP: Final = "siftstream.transforms"


def transform_names() -> list[str]:
    """Return every kind that `make_transform` knows, built-in ones first.

    >>> transform_names()[:1]
    ['image']
    """
    return [*BUILT_IN, *sorted(_plug_ins())]


def make_transform(settings: BaseModel | None = None, count: Count = uncounted) -> Transform:
    """Make the transform of these settings (`TransformSettings`, one of its kinds).

    >>> print(make_transform(ImageSettings(height=8, width=8, channels=1)).specs["image"])
    uint8 1x8x8

    Raises:
        ConfigError: the kind is unknown, what it needs is not installed, or a plug-in does not load.
    """
    settings = settings or ImageSettings()
    if not isinstance(settings, PlugInSettings):
        return _built_in(str(getattr(settings, "kind", "")))(settings, count)
    plug_in = _plug_ins().get(settings.kind)
    if plug_in is None:
        names = transform_names()
        near = get_close_matches(settings.kind, names, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
        raise ConfigError(f"transform.kind: {settings.kind!r} is unknown; {hint}")
    made = _load(plug_in)
    try:
        own = made.Settings.model_validate(settings.model_extra or {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("transform", *first["loc"]))
        raise ConfigError(f"{where}: {first['msg']} (transform {settings.kind!r})") from error
    return made(own, count)


def _built_in(kind: str) -> type[Transform]:
    """Import the module of a built-in kind: a stage imports only the decoders that it runs."""
    module = import_module(f"siftstream.agents.fetch.transforms.{kind}")
    return getattr(module, f"{kind.capitalize()}Transform")


def _plug_ins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in BUILT_IN}


def _load(point: EntryPoint) -> type[Transform]:
    try:
        kind = point.load()
    except Exception as error:  # a plug-in may fail in any way while it is imported
        raise ConfigError(f"transform plug-in {point.value!r} does not load: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Transform)):
        raise ConfigError(f"transform plug-in {point.value!r} is no subclass of siftstream's Transform")
    return kind
