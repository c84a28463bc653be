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
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from siftstream.models.training.bounds import hold, stand_back
from siftstream.models.training.job import JOB, JobSpec, Report, write_report
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import Progress
from siftstream.schemas.errors import SiftError, TrainingError

FAILED, ORPHANED = 1, 3
_TELL_S = 0.1  # a phase tells no more often


def main(arguments: list[str]) -> int:
    """Run one job and return the exit code."""
    stand_back()
    speak = take_stdout()
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
    settings = _settings(folder)
    try:
        _import_torch()
        imported = time.monotonic() - started if arguments else 0.0
        hold(settings.limits.memory, on_gpu=settings.mode == "full" and settings.full.device != "cpu")
        from siftstream.models.training.run_job import run_job

        report = run_job(folder, telling(speak))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        write_report(folder, report.model_copy(update={"import_seconds": imported, "peak_mb": peak}))
    except Exception as error:  # the parent must hear of it, whatever it is
        if not isinstance(error, SiftError):
            sys.excepthook(type(error), error, error.__traceback__)
        write_report(folder, Report(error=sentence(error, settings.limits.memory)))
        return FAILED
    return 0


def _settings(folder: Path) -> TrainSettings:
    """The job's settings; where they cannot be read, the run itself will say so."""
    with contextlib.suppress(OSError, ValueError):
        return JobSpec.model_validate_json((folder / JOB).read_bytes()).settings
    return TrainSettings()


def _import_torch() -> None:
    """Import torch and what a run needs, so that a waiting child starts at once."""
    try:
        import_module("siftstream.models.training.run_job")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise TrainingError("training needs torch: install siftstream[train]") from error


def sentence(error: Exception, memory: int | None) -> str:
    """Say what went wrong; want of memory has a remedy, whoever noticed it."""
    words = str(error)
    if "CUDA out of memory" in words:
        return "training: the GPU has not enough memory; lower full.batch_size, or use a smaller encoder"
    if isinstance(error, MemoryError) or "allocate memory" in words or "bad_alloc" in words:
        limit = f"the {memory >> 20} MiB that retrain.train.limits.memory allows" if memory else "there is"
        return f"training: it needs more memory than {limit}; raise it, or train on less at a time"
    return words if isinstance(error, SiftError) else f"{type(error).__name__}: {words}"


def telling(speak: Callable[[dict[str, Any]], None]) -> Callable[[Progress], None]:
    """Return what tells the parent: each phase's begin and end, and between them a few times a second."""
    last, at = Progress(phase="read"), 0.0

    def tell(progress: Progress) -> None:
        nonlocal last, at
        now = time.monotonic()
        done = progress.steps and progress.step == progress.steps
        if now - at >= _TELL_S or done or (progress.phase, progress.epoch) != (last.phase, last.epoch):
            last, at = progress, now
            speak(progress.model_dump(exclude_none=True))

    return tell


def take_stdout() -> Callable[[dict[str, Any]], None]:
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
    # The parent is gone, so nobody wants the result; what this process forked goes along.
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
