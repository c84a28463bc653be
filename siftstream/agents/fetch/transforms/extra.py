"""Packages that only some transforms need: imported when such a transform is made, or named in an error."""

from importlib import import_module
from typing import Any

from siftstream.schemas.errors import ConfigError


def needed(package: str, kind: str) -> Any:
    """Import a package that the transform of this kind cannot work without.

    Raises:
        ConfigError: it is not installed, or not loadable (a library of the system is missing).
    """
    try:
        return import_module(package)
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"transform.kind: {kind} needs the package {package}; pip install 'siftstream[{kind}]' ({error})"
        ) from error
