"""One run of the JVM behind its keeper: start it, ask whether it lives, end it in order or at once."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker.jvm import environment

KEEPER = Path(__file__).with_name("keeper.py")


class Child:
    """A command that ends with us; see `keeper.py` for the other side of the two pipes."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        log: Path,
        *,
        bound_s: float,
        remove: Path | None = None,
        inherit: int | None = None,
    ) -> None:
        """Start `command` in `folder`, its output appended to `log`.

        `bound_s`: seconds between SIGTERM and SIGKILL. `remove`: a folder that goes if we end without
        stopping it. `inherit`: a file descriptor that the keeper and the command hold open, too.
        """
        self._bound_s = bound_s
        self._owner = os.getpid()
        # By its path and isolated: nothing but the standard library is imported in the keeper.
        keeper = [sys.executable, "-I", "-S", str(KEEPER)]
        keeper += [str(self._owner), str(bound_s), str(remove or "-"), "--"]
        with log.open("ab") as output:
            self._keeper = subprocess.Popen(
                [*keeper, *command],
                cwd=folder,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                pass_fds=() if inherit is None else (inherit,),
                start_new_session=True,  # Ctrl-C in the terminal reaches us alone, and we stop it in order
            )
        self.keeper_pid = self._keeper.pid
        self.pid = self._read_pid(command[0])

    def _read_pid(self, program: str) -> int:
        assert self._keeper.stdout is not None
        kind, _, word = self._keeper.stdout.readline().decode().strip().partition(" ")
        if kind == "pid":
            return int(word)
        self._close()
        raise BrokerError(
            f"{program} could not be run ({word or 'its keeper died'}): check that it may be executed."
        )

    def ended(self, within_s: float = 0) -> bool:
        """Wait up to `within_s` for the end, and say whether it came."""
        try:
            self._keeper.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def status(self) -> int | None:
        """The exit status (128 + signal where one ended it), None while it runs."""
        return self._keeper.poll()

    def stop(self) -> None:
        """End it in order; SIGKILL after the bound."""
        self._tell(b"s")

    def kill(self) -> None:
        """End it as a crash would."""
        self._tell(b"k")

    def _tell(self, word: bytes) -> None:
        if self._owner != os.getpid():
            return  # a forked copy of us: not ours to end
        assert self._keeper.stdin is not None
        try:
            self._keeper.stdin.write(word)
            self._keeper.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it ended before
        self._close()

    def _close(self) -> None:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        try:
            self._keeper.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._keeper.wait(self._bound_s + 5)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        self._keeper.stdout.close()
