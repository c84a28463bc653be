"""The class archive: what the JVM learnt loading Kafka once, kept, so that later starts are quicker.

Java 25 and newer write an AOT cache, older ones a class data sharing archive; both at the end of a
training run. One that does not fit (another Java, other jars) is left unused by the JVM.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from siftstream.schemas.errors import SiftError
from siftstream.streams.broker.cache import cache_dir, locked
from siftstream.streams.broker.jvm import FLAGS, Jvm

log = logging.getLogger(__name__)

Train = Callable[[Sequence[str]], None]
"""Runs a broker with these further JVM flags from its start to its end."""


def archive_path(jvm: Jvm) -> Path:
    """Return where the archive for this Java, these flags and this class path belongs."""
    what = "\n".join([str(jvm.java.path), jvm.java.version, *FLAGS, jvm.classpath])
    key = hashlib.sha256(what.encode()).hexdigest()[:16]
    return cache_dir() / "archives" / f"java-{jvm.java.version}-{key}.{'aot' if is_aot(jvm) else 'jsa'}"


def is_aot(jvm: Jvm) -> bool:
    """Whether this Java writes an AOT cache in one run."""
    return jvm.java.major >= 25


def archive_flags(jvm: Jvm, train: Train, tell: Callable[[str], None]) -> list[str]:
    """Return the JVM flags that use the archive, making it first where there is none.

    Without an archive the broker only starts slower: failing to make one is noted beside the archives, not
    raised, and not tried again.
    """
    path = archive_path(jvm)
    failed = path.with_suffix(".failed")
    if not path.exists() and not failed.exists():
        path.parent.mkdir(exist_ok=True)
        with locked("archive"):
            if not path.exists() and not failed.exists():
                tell(f"Making a class archive for Java {jvm.java.version} (the first time only)")
                make_archive(jvm, path, failed, train)
    if not path.exists():
        return []
    if is_aot(jvm):
        return [f"-XX:AOTCache={path}"]
    return [f"-XX:SharedArchiveFile={path}"]


def make_archive(jvm: Jvm, path: Path, failed: Path, train: Train) -> None:
    """Train once and put the archive in its place, or leave a note in `failed` saying why there is none."""
    arriving = path.with_name(f"arriving-{path.name}")
    arriving.unlink(missing_ok=True)
    option = "AOTCacheOutput" if is_aot(jvm) else "ArchiveClassesAtExit"
    try:
        train([f"-XX:{option}={arriving}"])
        arriving.replace(path)
    except (SiftError, OSError) as error:
        log.warning(
            "No class archive was made, so the broker starts slower (remove %s to try again): %s",
            failed,
            error,
        )
        failed.write_text(f"{error}\n")
    finally:
        for rest in path.parent.glob(f"arriving-{path.name}*"):
            rest.unlink(missing_ok=True)
