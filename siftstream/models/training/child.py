"""The trainer's child process: `python -m siftstream.models.training.child [JOB_DIR]`, one job a life.

Without JOB_DIR it imports torch, says it is ready, and waits for the folder's path as a line on stdin. Its
stdin stays open as long as its parent lives: at the end of it the child leaves at once, whatever it does.
Progress goes to stdout, one JSON object a line; all other output to stderr. Exit code 0 means that
report.json tells of success; any other, that it holds an error (or is missing, where the child was killed).
"""

import contextlib
import json
import os
import queue
import resource
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from siftstream.models.training.job import Report, write_report
from siftstream.schemas.errors import SiftError, TrainingError

FAILED, ORPHANED = 1, 3


def main(arguments: list[str]) -> int:
    """Run one job and return the exit code."""
    speak = _take_stdout()
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    started = time.monotonic()
    if arguments:
        lines.put(arguments[0])
    else:
        with contextlib.suppress(TrainingError):  # told again, in the report, when a job comes
            _import_torch()
        speak({"ready": True})
    folder = Path(lines.get())
    try:
        _import_torch()
        imported = time.monotonic() - started if arguments else 0.0
        from siftstream.models.training.run_job import run_job

        report = run_job(
            folder, lambda step, steps, loss: speak({"step": step, "steps": steps, "loss": loss})
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        write_report(folder, report.model_copy(update={"import_seconds": imported, "peak_mb": peak}))
    except Exception as error:  # the parent must hear of it, whatever it is
        if not isinstance(error, SiftError):
            sys.excepthook(type(error), error, error.__traceback__)
        sentence = str(error) if isinstance(error, SiftError) else f"{type(error).__name__}: {error}"
        write_report(folder, Report(error=sentence))
        return FAILED
    return 0


def _import_torch() -> None:
    """Import torch and what a run needs, so that a waiting child starts at once."""
    try:
        import_module("siftstream.models.training.run_job")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise TrainingError("training needs torch: install siftstream[train]") from error


def _take_stdout() -> Any:
    """Keep stdout for progress alone; whoever prints elsewhere in this process prints to stderr."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def speak(line: dict[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")

    return speak


def _listen(lines: "queue.SimpleQueue[str]") -> None:
    # Unbuffered: a thread that waits inside sys.stdin would hold its lock while Python shuts down.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        for line in stdin:
            lines.put(line.decode().rstrip("\n"))
    os._exit(ORPHANED)  # the parent is gone, so nobody wants the result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
