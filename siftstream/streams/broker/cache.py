"""Where the local broker keeps what it fetches or makes once: jars, class archives, its last logs."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker.pins import KAFKA_VERSION

KEPT_LOGS = 20


def cache_dir() -> Path:
    """Return (and make) `$SIFTSTREAM_CACHE/siftstream/kafka-VERSION`, else under the user's cache folder."""
    base = os.environ.get("SIFTSTREAM_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser().absolute() / "siftstream" / f"kafka-{KAFKA_VERSION}"
    return writable(folder, "set SIFTSTREAM_CACHE to a folder that is")


def writable(folder: Path, remedy: str) -> Path:
    """Make `folder` and return it; BrokerError with `remedy` where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BrokerError(f"The folder {folder} cannot be made ({reason}): {remedy}.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BrokerError(f"The folder {folder} is not writable: {remedy}.")
    return folder


@contextlib.contextmanager
def locked(name: str) -> Generator[None]:
    """Hold the cache's lock `name`: one process does the work, the others wait and find it done."""
    with (cache_dir() / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def new_log(port: int) -> Path:
    """Return the path of a new log for a broker without a data folder; only the newest logs are kept."""
    folder = cache_dir() / "logs"
    folder.mkdir(exist_ok=True)
    with locked("logs"):
        by_age = sorted(folder.glob("broker-*.log"), key=lambda path: path.stat().st_mtime)
        for old in by_age[: -(KEPT_LOGS - 1)]:
            old.unlink()
    return folder / f"broker-{os.getpid()}-{port}.log"
