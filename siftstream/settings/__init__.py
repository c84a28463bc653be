"""The one configuration: a YAML file, overridden by the environment; every part stands beside its stage."""

from siftstream.settings.load import load_settings
from siftstream.settings.root import Settings

__all__ = ["Settings", "load_settings"]
