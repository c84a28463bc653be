"""Kafka's jars: the pinned list, fetched once by jgo, checked by sha256, then read from the cache."""

import errno
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker import pins
from siftstream.streams.broker.cache import cache_dir, locked

DOWNLOADS_AT_ONCE = 4

Fetch = Callable[["Jar", Path], Path]
"""Brings one jar into a folder (group:artifact:version, sha256 as pinned) and returns its path."""


@dataclass(frozen=True)
class Jar:
    """One pinned jar by its Maven coordinate."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """The file's name in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def pinned() -> Iterator[Jar]:
    """Yield the jars of `pins.py`."""
    words = pins.JARS.split()
    for coordinate, sha256 in zip(words[::2], words[1::2], strict=True):
        group, artifact, version = coordinate.split(":")
        yield Jar(group, artifact, version, sha256)


def classpath(tell: Callable[[str], None], fetch: Fetch | None = None) -> list[Path]:
    """Return every jar's path, fetching those that are not in the cache yet.

    A jar stands in the cache only after its hash was checked, so a later call needs neither network nor jgo.
    Raises BrokerError where a jar cannot be had.
    """
    folder = cache_dir() / "jars"
    jars = list(pinned())
    if any(not (folder / jar.filename).exists() for jar in jars):
        with locked("jars"):
            missing = [jar for jar in jars if not (folder / jar.filename).exists()]
            if missing:
                tell(f"Fetching Kafka {pins.KAFKA_VERSION} ({len(missing)} jars; the first time only)")
                fetch_all(missing, folder, fetch or fetch_by_jgo)
    return [folder / jar.filename for jar in jars]


def fetch_all(jars: list[Jar], folder: Path, fetch: Fetch) -> None:
    """Fetch `jars` into `folder`, a few at once, or raise BrokerError saying what to do."""
    try:
        folder.mkdir(exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as room,
            ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
        ):
            paths = pool.map(lambda jar: fetch(jar, Path(room)), jars)
            for jar, path in zip(jars, paths, strict=True):
                place(jar, path, folder)
    except BrokerError:
        raise
    except Exception as error:  # requests, jgo and the disk each have their own
        raise BrokerError(
            f"Kafka's jars could not be fetched into {folder} ({type(error).__name__}: {reason(error)}): "
            f"{remedy(error)}, or set KAFKA_BOOTSTRAP_SERVERS to a running cluster."
        ) from error


def place(jar: Jar, path: Path, folder: Path) -> None:
    """Move a fetched jar into the cache in one step, once its hash is the pinned one."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != jar.sha256:
        raise BrokerError(
            f"The jar {jar.filename} that was fetched is not the pinned one (sha256 {digest[:12]}..., not "
            f"{jar.sha256[:12]}...): check the Maven mirror that this machine uses."
        )
    arriving = folder / f"{jar.filename}.part"
    shutil.copyfile(path, arriving)
    arriving.replace(folder / jar.filename)


def fetch_by_jgo(jar: Jar, folder: Path) -> Path:
    """Fetch one jar from the Maven repositories that jgo knows, or find it in the user's local one."""
    from jgo.config import GlobalSettings  # slow to import, and wanted once in a machine's life
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    logging.getLogger("jgo").setLevel(logging.ERROR)
    settings = GlobalSettings.load()
    local = settings.repo_cache / jar.group.replace(".", "/") / jar.artifact / jar.version / jar.filename
    if local.exists() and hashlib.sha256(local.read_bytes()).hexdigest() == jar.sha256:
        return local
    repositories = {**settings.repositories, "central": MAVEN_CENTRAL_URL}
    context = MavenContext(repo_cache=folder, remote_repos=repositories)
    return context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()


def remedy(error: Exception) -> str:
    """Return what to do about a failed fetch."""
    if isinstance(error, ImportError):
        return "`pip install jgo`, which fetches them"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "free some space there or set SIFTSTREAM_CACHE to a folder on another disk"
    return (
        "connect this machine to a Maven repository once (proxies are read from the environment, mirrors "
        "from ~/.config/jgo.conf), or copy that folder from a machine that has it"
    )


def reason(error: Exception) -> str:
    """Return the error's own words, short enough for one line."""
    words = " ".join(str(error).split())
    return words if len(words) <= 160 else f"{words[:160]}..."
