"""A child ends when its parent does: the parent holds a pipe, and its end is the signal."""

import os
import signal
import sys
import threading


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Send this process `number` when standard input ends; the parent keeps the other end open."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os.kill(os.getpid(), number)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
