"""Loaders by scheme: the built-in ones, plug-ins from the entry point group `siftstream.loaders`, and
fsspec's drivers for what is left.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from siftstream.agents.fetch.loaders.archive import ArchiveLoader
from siftstream.agents.fetch.loaders.base import Loader
from siftstream.agents.fetch.loaders.data import DataLoader
from siftstream.agents.fetch.loaders.drivers import BARRED, DriverLoader, driver_schemes
from siftstream.agents.fetch.loaders.file import FileLoader
from siftstream.agents.fetch.loaders.ftp import FtpLoader
from siftstream.agents.fetch.loaders.http import HttpLoader
from siftstream.agents.fetch.loaders.s3 import S3Loader
from siftstream.agents.fetch.loaders.sftp import SftpLoader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import ConfigError

GROUP: Final = "siftstream.loaders"
BUILT_IN: Final[dict[str, type[Loader]]] = {
    scheme: kind
    for kind in (FileLoader, HttpLoader, DataLoader, S3Loader, FtpLoader, SftpLoader, ArchiveLoader)
    for scheme in kind.schemes
}


def loader_schemes() -> list[str]:
    """Return every scheme that has a loader: built-in ones, fsspec's (installed or not), and plug-ins.

    >>> loader_schemes()[:10]
    ['file', 'http', 'https', 'data', 's3', 'ftp', 'ftps', 'sftp', 'zip', 'tar']
    """
    return list(dict.fromkeys([*BUILT_IN, *driver_schemes(), *sorted(_plug_ins())]))


def make_loaders(settings: FetchSettings) -> dict[str, Loader]:
    """Make the loader of each scheme in `settings.schemes`; schemes of one class share one loader.

    Raises:
        ConfigError: a scheme has no loader, its driver is missing, or a plug-in does not load.
    """
    plug_ins = _plug_ins()
    made: dict[type[Loader], Loader] = {}
    loaders: dict[str, Loader] = {}
    for scheme in settings.schemes:
        kind = BUILT_IN.get(scheme)
        if kind is None and scheme in plug_ins:
            kind = _load(plug_ins[scheme])
        if kind is None:
            loaders[scheme] = _by_driver(scheme, settings)
            continue
        if kind not in made:
            made[kind] = kind(settings)
        loaders[scheme] = made[kind]
    return loaders


def _by_driver(scheme: str, settings: FetchSettings) -> Loader:
    known = loader_schemes()
    if scheme not in known and scheme not in BARRED:
        raise ConfigError(f"fetch.schemes: {scheme!r} has no loader; known: {', '.join(known)}")
    return DriverLoader(settings, scheme)


def _plug_ins() -> dict[str, EntryPoint]:
    """Return the plug-ins by scheme, which is the entry point's name; a built-in scheme stays ours."""
    return {point.name.lower(): point for point in entry_points(group=GROUP) if point.name not in BUILT_IN}


def _load(point: EntryPoint) -> type[Loader]:
    try:
        kind = point.load()
    except Exception as error:  # a plug-in may fail in any way while it is imported
        raise ConfigError(f"loader plug-in {point.value!r} does not load: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Loader)):
        raise ConfigError(f"loader plug-in {point.value!r} is no subclass of siftstream's Loader")
    return kind
