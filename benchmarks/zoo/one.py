"""One selection in a process of its own: `python -m benchmarks.zoo.one WHO NAME FILE K LIMIT MEMORY SEED`.

WHO is `ours` or `theirs`; FILE holds the window; the last line of the output is JSON: seconds of selecting
alone, and bytes of memory above what the process had before, at its highest. More than LIMIT seconds of
selecting end the process by SIGALRM; more than MEMORY bytes above its own end it with an exit code.
"""

import json
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import yaml

from benchmarks.zoo.made_up import read
from siftstream.bench.memory import forget_peak, peak_bytes
from siftstream.schemas.errors import StrategyError
from siftstream.strategies import Strategy, strategy_of

# Parameters of those that cannot be made without.
GIVEN: Final[dict[str, dict[str, Any]]] = {
    "stratified_by_metadata": {"key": "site"},
    "weighted_sum": {"strategies": ["margin", "entropy"]},
    "rank_fusion": {"strategies": ["margin", "entropy"]},
    "schedule": {"steps": [{"strategy": "margin", "rounds": 1}, "entropy"]},
    "switch_when_stalled": {"first": "margin", "then": "entropy"},
    "by_partition": {"strategies": ["margin", "entropy"]},
    "bandit": {"strategies": ["margin", "entropy"]},
}
OUT_OF_MEMORY: Final = 41
REFUSED: Final = 42


def choice(who: str, name: str, file: Path, seed: int) -> Callable[[int], Any]:
    """Return what chooses k samples of the window; all that is not choosing is done."""
    window = read(file)
    if who == "theirs":
        from benchmarks.zoo.peers import peer_of

        return peer_of(name, window)
    strategy = made(name)
    strategy.select(window.rows(slice(0, 2)), 1, np.random.default_rng(seed))  # what it imports is there now
    return lambda k: strategy.select(window, k, np.random.default_rng(seed)).indices


def made(said: str) -> Strategy:
    """Return the strategy of a name, or of a mapping in YAML: `{name: two_stage, factor: 3}`.

    >>> made("{name: margin, temperature: 2}").temperature, made("bandit").name
    (2.0, 'bandit')
    """
    mapping = yaml.safe_load(said)
    return strategy_of(mapping if isinstance(mapping, dict) else {"name": said, **GIVEN.get(said, {})})


def measured(choose: Callable[[int], Any], k: int, limit: float, memory: int) -> dict[str, Any]:
    """Choose within the limits; return seconds and bytes."""
    process = psutil.Process()
    forget_peak(process)
    before = process.memory_info().rss
    allowed = _data_bytes() + memory
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, in whatever loop it is
    signal.setitimer(signal.ITIMER_REAL, limit)
    began = time.perf_counter()
    chosen = choose(k)
    seconds = time.perf_counter() - began
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    count = len(set(np.asarray(chosen).tolist()))
    return {"seconds": seconds, "bytes": max(0, peak_bytes(process) - before), "chosen": count}


def _data_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) << 10
    return 0


def main() -> None:
    """Measure one selection and print it."""
    who, name, file, k, limit, memory, seed = sys.argv[1:]
    try:
        choose = choice(who, name, Path(file), int(seed))
    except StrategyError as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)
    try:
        print(json.dumps(measured(choose, int(k), float(limit), int(memory))))
    except MemoryError as error:
        print(error, file=sys.stderr)
        sys.exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main()
