"""Hostile inputs through every transform, each in a child process that may crash without harm.

`python -m tests.agents.fetch.fuzz --count 50000` prints, for each kind, how many inputs became arrays, how
many a TransformError, and what must be nought: other errors, crashes, inputs over the time bound. Inputs are
mutated from real files of every format, random, or bombs; each is made from its number alone, so
`--kind image --only 1234` gives one of them again.
"""

import argparse
import faulthandler
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable
from ctypes import Structure, c_double, c_long
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from siftstream.agents.fetch.conformance import check_arrays
from siftstream.agents.fetch.transforms import Transform
from siftstream.agents.fetch.transforms.settings import BUILT_IN
from siftstream.schemas.errors import TransformError
from tests.agents.fetch import samples
from tests.agents.fetch.hostile import Inputs

MB = 1024 * 1024
POLL_S = 0.05
MakeTransforms = Callable[[str, Path], list[Transform]]


class Tally(Structure):
    """What a child counts, in memory that outlives its crash."""

    _fields_ = [
        ("number", c_long), ("started", c_double), ("done", c_long),
        ("arrays", c_long), ("errors", c_long), ("other", c_long), ("no_memory", c_long),
        ("slowest", c_double), ("slowest_number", c_long), ("peak", c_long), ("peak_number", c_long),
    ]  # fmt: skip


@dataclass
class Report:
    """What came of the inputs of one kind."""

    kind: str
    count: int
    arrays: int = 0
    errors: int = 0
    no_memory: int = 0  # of the errors: those that the memory limit caused
    other: int = 0
    crashes: dict[int, str] = field(default_factory=dict[int, str])
    slow: list[int] = field(default_factory=list[int])
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, -1)  # seconds, number of the input
    peak: tuple[int, int] = (0, -1)  # growth in bytes, number of the input
    words: str = ""

    @property
    def good(self) -> bool:
        """Whether each input ended in arrays or a TransformError, in time."""
        bad = self.other or self.crashes or self.slow or self.no_memory
        return not bad and self.arrays + self.errors == self.count

    def __str__(self) -> str:
        return (
            f"{self.kind:7} {self.count:8,} inputs: {self.arrays:7,} arrays, {self.errors:7,} errors,"
            f" {self.other} others, {len(self.crashes)} crashes, {len(self.slow)} too slow,"
            f" {self.no_memory} out of memory; {self.seconds:.0f} s, slowest {self.slowest[0]:.2f} s"
            f" (input {self.slowest[1]}), peak +{self.peak[0] // MB} MB (input {self.peak[1]})"
            + "".join(f"\n    crash at input {n}: {words}" for n, words in self.crashes.items())
            + "".join(f"\n    too slow: input {n}" for n in self.slow)
            + self.words
        )


def fuzz(
    kind: str,
    inputs: Inputs,
    count: int,
    *,
    make: MakeTransforms = samples.transforms,
    bound_s: float = 5.0,
    memory_mb: int = 2048,
) -> Report:
    """Put the first `count` inputs through the transforms of one kind, and count what came of them."""
    report = Report(kind, count)
    context = multiprocessing.get_context("spawn")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        start = 0
        while start < count:
            tally: Any = context.Value(Tally, lock=False)
            tally.number, tally.peak_number, tally.slowest_number = -1, -1, -1
            child = context.Process(
                target=_child, args=(tally, make, kind, inputs, range(start, count), memory_mb, folder)
            )
            child.start()
            slow = _watch(child, tally, bound_s)
            _add(report, tally)
            ended_well = child.exitcode == 0
            child.close()
            if ended_well:
                break
            if tally.number < 0:
                raise RuntimeError(f"the child for {kind} did not begin: {_last_words(Path(folder))}")
            if slow:
                report.slow.append(tally.number)
            else:
                report.crashes[tally.number] = _last_words(Path(folder))
            start = tally.number + 1
        report.words = "".join(path.read_text() for path in Path(folder).glob("others"))
    report.seconds = time.monotonic() - began
    return report


def _watch(child: Any, tally: Any, bound_s: float) -> bool:
    """Wait for the child's end; end it, and say so, if one input takes too long."""
    while child.is_alive():
        child.join(POLL_S)
        number, started = tally.number, tally.started
        if number >= 0 and started and time.monotonic() - started > bound_s and tally.number == number:
            child.kill()
            child.join()
            return True
    return False


def _last_words(folder: Path) -> str:
    """Return the innermost frame at a crash, or the last line that was written."""
    lines = (folder / "stderr").read_text(errors="replace").strip().splitlines() or ["(no words)"]
    fatal = [at for at, line in enumerate(lines) if line.startswith("Fatal Python error")]
    frames = [line.strip() for line in lines[fatal[-1] :] if "File " in line] if fatal else []
    return (frames or [lines[-1]])[0]


def _add(report: Report, tally: Any) -> None:
    report.arrays += tally.arrays
    report.errors += tally.errors
    report.other += tally.other
    report.no_memory += tally.no_memory
    report.slowest = max(report.slowest, (tally.slowest, tally.slowest_number))
    report.peak = max(report.peak, (tally.peak, tally.peak_number))


def _child(
    tally: Any, make: MakeTransforms, kind: str, inputs: Inputs, numbers: range, memory_mb: int, folder: str
) -> None:
    """Work through the inputs, in a process with a limit on its memory."""
    with (Path(folder) / "stderr").open("w") as stderr:
        os.dup2(stderr.fileno(), 2)  # libtiff and others write there of all they meet
    faulthandler.enable()
    warnings.simplefilter("ignore")  # decoders warn of damage and read on
    transforms = make(kind, Path(folder))
    for transform in transforms:
        for data in samples.good(kind):
            transform(data)
    _limit_memory(memory_mb)
    base = _peak()
    with (Path(folder) / "others").open("a") as others:
        for number in numbers:
            data = inputs[number]
            tally.number, tally.started = number, time.monotonic()
            if other := _one(transforms[number % len(transforms)], data, tally):
                others.write(f"\n    input {number}: {other}")
                others.flush()
            took, tally.started = time.monotonic() - tally.started, 0.0
            if took > tally.slowest:
                tally.slowest, tally.slowest_number = took, number
            peak = _peak() - base
            if peak > tally.peak:
                tally.peak, tally.peak_number = peak, number


def _peak() -> int:
    """Return the most bytes in memory so far; getrusage would begin with those of the parent."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024


def _limit_memory(memory_mb: int) -> None:
    """Let the process grow by so much; where /proc does not tell its size, it is only measured."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return
    limit = pages * os.sysconf("SC_PAGE_SIZE") + memory_mb * MB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _one(transform: Transform, data: bytes, tally: Any) -> str:
    """Count what comes of one input; return what should not have come."""
    try:
        check_arrays(transform, transform(data), "hostile input")
    except TransformError as error:
        tally.errors += 1
        if isinstance(error.__cause__, MemoryError) and not _from_parser(error.__cause__):
            tally.no_memory += 1
            return f"out of memory: {error}"
        return ""
    except (Exception, AssertionError) as error:
        tally.other += 1
        return f"{type(error).__name__}: {str(error)[:200]}"
    tally.arrays += 1
    return ""


def _from_parser(error: BaseException) -> bool:
    """Tell whether Python's parser says so, which it does of an expression too deep for it."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].name == "parse"


def show(kind: str, number: int, seed: int) -> None:
    """Put one input through, here, and say what came of it."""
    data = Inputs(kind, seed)[number]
    with tempfile.TemporaryDirectory() as folder:
        transforms = samples.transforms(kind, Path(folder))
        transform = transforms[number % len(transforms)]
    print(f"{len(data):,} bytes, {zlib.crc32(data):08x}: {data[:80]!r}")
    print(transform.settings)
    began = time.monotonic()
    try:
        print({name: (array.shape, array.dtype) for name, array in transform(data).items()})
    except TransformError as error:
        print(f"TransformError: {error}; because of {error.__cause__!r}")
    print(f"{time.monotonic() - began:.2f} s")


def main() -> int:
    """Fuzz, print, and return 1 if anything came out that must not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kind", choices=list(BUILT_IN), action="append", help="which transforms; all by default"
    )
    parser.add_argument("--count", type=int, default=50_000, help="inputs a kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bound", type=float, default=5.0, help="most seconds for one input")
    parser.add_argument("--memory", type=int, default=2048, help="MB by which the child may grow")
    parser.add_argument("--only", type=int, help="one input, in this process")
    given = parser.parse_args()
    good = True
    for kind in given.kind or BUILT_IN:
        if given.only is not None:
            show(kind, given.only, given.seed)
            continue
        inputs = Inputs(kind, given.seed)
        report = fuzz(kind, inputs, given.count, bound_s=given.bound, memory_mb=given.memory)
        print(report, flush=True)
        good = good and report.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
