"""The local broker: a real, single-node Kafka, started, ready, stopped, and never left behind."""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker.archive import Train
from siftstream.streams.broker.cache import new_log, writable
from siftstream.streams.broker.child import Child
from siftstream.streams.broker.config import LOGGING, STORAGE, server_properties
from siftstream.streams.broker.diagnosis import bind_failed, explain
from siftstream.streams.broker.jvm import Jvm
from siftstream.streams.broker.lock import owned
from siftstream.streams.broker.ports import check_port, free_port
from siftstream.streams.broker.prepare import Prepared, prepare
from siftstream.streams.broker.probe import wait_ready
from siftstream.streams.broker.storage import format_storage

logger = logging.getLogger(__name__)

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 7.0
TRAINING_STOP_WITHIN_S = 60.0
SPACE_NEEDED = 200 * 1024 * 1024
LOG_LIMIT = 10 * 1024 * 1024
TRIES = 3
"""How often a free port of our own choice may be taken by somebody else before we bind it."""


class LocalBroker:
    """A Kafka on 127.0.0.1 for as long as this process lives, or until `stop()`.

    >>> with LocalBroker() as broker:  # doctest: +SKIP
    ...     print(broker.bootstrap)
    127.0.0.1:24817
    """

    def __init__(
        self,
        data: Path | None = None,
        port: int | None = None,
        log: Path | None = None,
        *,
        tell: Callable[[str], None] = logger.info,
        prepared: Prepared | None = None,
    ) -> None:
        """Describe a broker; `start()` starts it.

        `data`: its folder, kept and used again by a later start; None is a temporary one that goes at
        `stop()`. `port`: None is a free one. `log`: where the JVM's output is appended; None is
        `data/broker.log`, or the cache's `logs` for a temporary broker. `tell`: hears what a first start
        takes seconds for. `prepared`: the JVM to use; None finds it.
        """
        self._temporary = data is None
        self._data = None if data is None else Path(data).expanduser().absolute()
        self._asked_port = port
        self._port = port
        self._log = None if log is None else Path(log).expanduser().absolute()
        self._tell = tell
        self._prepared = prepared
        self._child: Child | None = None
        self._stop_within_s = STOP_WITHIN_S
        self._log_start = 0

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:PORT`, known from the first start on."""
        if self._port is None:
            raise BrokerError("The local broker has no port yet: start() it first.")
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The JVM's process id."""
        return self._started().pid

    @property
    def keeper_pid(self) -> int:
        """The process id of the keeper between us and the JVM."""
        return self._started().keeper_pid

    @property
    def log_path(self) -> Path:
        """The file that holds what the JVM says; it outlives the broker."""
        if self._log is None:
            raise BrokerError("The local broker has no log yet: start() it first.")
        return self._log

    @property
    def alive(self) -> bool:
        """Whether the JVM runs."""
        return self._child is not None and self._child.status is None

    def ended(self, within_s: float = 0) -> bool:
        """Wait up to `within_s` for the JVM's end, and say whether it came."""
        return self._child is None or self._child.ended(within_s)

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> Self:
        """Start it and return once a produce was acknowledged; BrokerError says why it cannot."""
        if self.alive:
            raise BrokerError(
                f"The local broker already runs on {self.bootstrap}: stop() it before starting it again."
            )
        if os.name != "posix":
            raise BrokerError(
                "The local broker runs on Linux and macOS: set KAFKA_BOOTSTRAP_SERVERS to a cluster."
            )
        try:
            self._check_disk()
            if self._prepared is None:
                self._prepared = prepare(train_with, self._tell)
            self._start_on_a_port(self._prepared)
        except OSError as error:
            self.stop()
            raise BrokerError(
                f"The local broker could not be started in {self._data} ({error}): see that the disk has "
                "room and the folder may be written, or choose another --data."
            ) from error
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it in order (SIGKILL after some seconds); a temporary data folder goes, the log stays."""
        if self._child is not None:
            self._child.stop()
        if self._temporary and self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = None

    def kill(self) -> None:
        """Kill the JVM with SIGKILL, as a crash would; the data stays for `restart()`."""
        self._started().kill()

    def restart(self) -> Self:
        """Start it again on the same data and port, after stopping it in order if it runs."""
        self._started().stop()
        self._asked_port = self._port
        return self.start()

    def failure(self) -> str:
        """Say why a broker that is no longer alive ended."""
        cause = explain(self.log_path, self._log_start, self._port or 0, self._folder())
        return f"The local broker on {self.bootstrap} ended: {cause}"

    def _started(self) -> Child:
        if self._child is None:
            raise BrokerError("The local broker was not started: start() it first.")
        return self._child

    def _folder(self) -> Path:
        if self._data is None:
            self._data = Path(tempfile.mkdtemp(prefix="siftstream-broker-"))
        return self._data

    def _check_disk(self) -> None:
        """Make the data folder, or refuse one that cannot be written or has no room."""
        folder = writable(self._folder(), "choose another --data")
        free = shutil.disk_usage(folder).free
        if free < SPACE_NEEDED:
            raise BrokerError(
                f"The disk of {folder} has {free >> 20} MB left and the broker needs {SPACE_NEEDED >> 20}: "
                "free some space or choose another --data."
            )

    def _start_on_a_port(self, prepared: Prepared) -> None:
        """Start the JVM, with another port if somebody was quicker to take a free one."""
        for tries_left in reversed(range(TRIES)):
            self._port = self._asked_port or free_port()
            if self._spawn(prepared, self._port):
                return
            taken = bind_failed(self.log_path, self._log_start)
            if self._asked_port is not None or not taken or not tries_left:
                raise BrokerError(self._why_not())

    def _spawn(self, prepared: Prepared, port: int) -> bool:
        """Start the JVM on `port`; whether it became ready."""
        folder = self._folder()
        if self._child is not None:
            self._child.stop()
        with owned(folder, self._tell) as lock:
            check_port(port)
            format_storage(prepared.jvm, folder / STORAGE)
            (folder / "log4j2.yaml").write_text(LOGGING)
            (folder / "server.properties").write_text(server_properties(port, free_port(but=port)))
            self._open_log(port)
            self._child = Child(
                prepared.jvm.command(prepared.flags, "kafka.Kafka", "server.properties"),
                folder,
                self.log_path,
                bound_s=self._stop_within_s,
                remove=folder if self._temporary else None,
                inherit=lock,
            )
        return wait_ready(port, self._child.ended, time.monotonic() + READY_WITHIN_S)

    def _open_log(self, port: int) -> None:
        """Choose the log, put a grown one aside, and note where this run's part begins."""
        if self._log is None:
            self._log = new_log(port) if self._temporary else self._folder() / "broker.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
            self._log.replace(self._log.with_name(f"{self._log.name}.1"))
        with self._log.open("ab") as handle:
            self._log_start = handle.tell()

    def _why_not(self) -> str:
        child, port = self._started(), self._port or 0
        if child.status is None:
            return f"The local broker was not ready within {READY_WITHIN_S:.0f} s: see {self.log_path}."
        cause = explain(self.log_path, self._log_start, port, self._folder())
        return f"The local broker ended while it started (status {child.status}): {cause}"


def train_with(jvm: Jvm) -> Train:
    """Return the training run of `archive.py`: a temporary broker on this JVM, from its start to its end."""

    def train(flags: Sequence[str]) -> None:
        broker = LocalBroker(prepared=Prepared(jvm, flags))
        broker._stop_within_s = TRAINING_STOP_WITHIN_S  # pyright: ignore[reportPrivateUsage]
        with broker:
            pass

    return train
