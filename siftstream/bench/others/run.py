"""Runs one of the ways beside this file: `python run.py NAME FOLDER ONNX COUNT BUDGET`.

The folder holds JPEG files, the ONNX graph turns uint8 [batch, 3, height, width] into probabilities. One line
of JSON tells the seconds from opening the first file to the last of `BUDGET` samples chosen, the samples, and
the most memory in MB. What a service does once (imports, opening the model, a first small round) comes before
the clock starts. Nothing of siftstream is imported: the interpreter is another.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

WARM = 256
Select = Callable[[Sequence[Path], int], Sequence[int]]


def measured(select: Select, paths: Sequence[Path], budget: int) -> dict[str, float]:
    """Time one round after a small one.

    Raises:
        SystemExit: it chose another number of samples, or one twice.
    """
    select(paths[:WARM], max(1, min(WARM, len(paths)) // 4))
    began = time.perf_counter()
    chosen = {int(one) for one in select(paths, budget)}
    seconds = time.perf_counter() - began
    if len(chosen) != budget:
        raise SystemExit(f"{len(chosen)} different samples were chosen instead of {budget}")
    return {
        "samples": len(paths), "seconds": seconds, "samples_a_second": len(paths) / seconds,
        "selected": budget, "peak_mb": peak_mb(),
    }  # fmt: skip


def peak_mb() -> float:
    """Return the most memory of this process alone: its helpers come on top."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 2**10
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(name: str, folder: str, onnx: str, count: str, budget: str) -> None:
    """Measure the way of that name and print the figures."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    select = import_module(name).prepare(onnx)
    sys.stdout.write(json.dumps(measured(select, paths[: int(count)], int(budget))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
