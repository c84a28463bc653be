"""What a trainer's child takes from a stage on the same processor, by how the child is started.

`python -m benchmarks.beside_training` binds itself and a child that computes without a pause to one processor
(Linux), and prints how late a loop wakes that asks for a turn every 2 ms and then works for `--work` ms, and
how much of its work it gets done against being alone.
"""

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from typing import Any, Final

EVERY_S: Final = 0.002
SPINS: Final = "import os\nos.nice({nice})\nwhile True: pass"
WAYS: Final[dict[str, tuple[int, dict[str, Any]] | None]] = {
    "alone": None,
    "a session, nice 0": (0, {"start_new_session": True}),
    "a session, nice 5": (5, {"start_new_session": True}),
    "a process group, nice 0": (0, {"process_group": 0}),
    "a process group, nice 5": (5, {"process_group": 0}),  # as siftstream.models.training.process does
}


@contextlib.contextmanager
def beside(way: tuple[int, dict[str, Any]] | None) -> Generator[None]:
    """Have a child compute meanwhile."""
    if way is None:
        yield
        return
    nice, options = way
    with subprocess.Popen([sys.executable, "-c", SPINS.format(nice=nice)], **options) as child:
        try:
            time.sleep(0.3)  # until it computes
            yield
        finally:
            child.send_signal(signal.SIGKILL)


def turns(seconds: float, work: float) -> list[float]:
    """Return how late each turn came, in ms."""
    late: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        time.sleep(EVERY_S)
        late.append(1e3 * (time.monotonic() - began - EVERY_S))
        worked = time.thread_time()
        while time.thread_time() - worked < work:
            pass
    return late


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="a way")
    parser.add_argument("--work", type=float, default=5.0, help="ms a turn")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    alone = 0
    print(f"{'child':<26}{'median ms':>10}{'99th ms':>10}{'work done':>12}")
    for name, way in WAYS.items():
        with beside(way):
            late = sorted(turns(options.seconds, options.work / 1e3))
        alone = alone or len(late)
        tail = late[int(0.99 * (len(late) - 1))]
        print(
            f"{name:<26}{statistics.median(late):>10.2f}{tail:>10.2f}{len(late) / alone:>12.0%}", flush=True
        )


if __name__ == "__main__":
    main()
