"""Transforms by name: the built-in ones, and plug-ins from the entry point group `siftstream.transforms`."""

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from siftstream.agents.fetch.settings import TransformSettings
from siftstream.agents.fetch.transforms.base import Transform
from siftstream.agents.fetch.transforms.image import ImageTransform
from siftstream.schemas.errors import ConfigError

GROUP: Final = "siftstream.transforms"
BUILT_IN: Final[dict[str, type[Transform]]] = {"image": ImageTransform}


def transform_names() -> list[str]:
    """Return every kind that `make_transform` knows, built-in ones first.

    >>> transform_names()[:1]
    ['image']
    """
    return [*BUILT_IN, *sorted(_plug_ins())]


def make_transform(settings: TransformSettings) -> Transform:
    """Make the transform that `settings.kind` names.

    >>> make_transform(TransformSettings(height=8, width=8, channels=1)).shape
    (1, 8, 8)

    Raises:
        ConfigError: the kind is unknown, or a plug-in does not load.
    """
    kind = BUILT_IN.get(settings.kind)
    if kind is None and (plug_in := _plug_ins().get(settings.kind)):
        kind = _load(plug_in)
    if kind is None:
        names = transform_names()
        near = get_close_matches(settings.kind, names, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
        raise ConfigError(f"transform.kind: {settings.kind!r} is unknown; {hint}")
    return kind(settings)


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
