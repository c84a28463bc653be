"""The raw limits, as a child process: ONNX Runtime alone on ready arrays, or the decoder alone.

`python -m siftstream.bench.alone KIND FILE` with `{"onnx", "batch", "count", "pictures"}` in the file prints
`{"samples", "seconds", "cpu_us", "peak_mb"}`.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from threading import Barrier
from typing import Any

import onnxruntime as ort
import psutil

from siftstream.agents.fetch.loaders.file import path_of
from siftstream.bench.decoding import decoded, ready
from siftstream.bench.memory import peak_bytes
from siftstream.bench.workbench import cores

RUNS, THREADS, DECODER = "runs", "threads", "decoder"
WARM_RUNS = 2
DIFFERENT = 1024  # pictures that are kept ready; runs take them in turn
Work = Callable[[], object]


def session(onnx: str, threads: int) -> Any:
    """Return a session of so many threads on the CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


def inference(asked: dict[str, Any], threads: int) -> tuple[list[Work], int]:
    """Return device batches to run, and the samples in each."""
    made, size = session(asked["onnx"], threads), min(asked["batch"], asked["count"])
    arrays = ready(asked["pictures"][: max(size, min(DIFFERENT, asked["count"]))])
    name = made.get_inputs()[0].name
    starts = range(0, len(arrays) - size + 1, size)
    different = [partial(made.run, None, {name: arrays[start : start + size]}) for start in starts]
    for _ in range(WARM_RUNS):
        different[0]()
    runs = max(1, round(asked["count"] / size))
    return list(islice(cycle(different), runs)), size


def decoding(asked: dict[str, Any]) -> tuple[list[Work], int]:
    """Return pictures to decode, their bytes in memory, and 1."""
    data = [Path(path_of(uri)).read_bytes() for uri in asked["pictures"]]
    decoded(data[0])
    return [partial(decoded, one) for one in islice(cycle(data), asked["count"])], 1


def in_threads(works: Sequence[Work], threads: int) -> dict[str, float]:
    """Do all of it in so many threads, each taking its share; return wall and CPU seconds."""

    def share(first: int) -> None:
        for work in works[first::threads]:
            work()

    begun = Barrier(threads)
    with ThreadPoolExecutor(threads) as pool:
        list(
            pool.map(lambda _: begun.wait(), range(threads))
        )  # every thread is there before the clock starts
        began, cpu = time.perf_counter(), time.process_time()
        list(pool.map(share, range(threads)))
        return {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}


def measured(kind: str, asked: dict[str, Any]) -> dict[str, float]:
    """Measure one kind of work."""
    if kind == DECODER:
        works, each = decoding(asked)
    else:
        works, each = inference(asked, cores() if kind == THREADS else 1)
    spent = in_threads(works, 1 if kind == THREADS else cores())
    count = len(works) * each
    return {
        "samples": count, "seconds": spent["seconds"], "samples_a_second": count / spent["seconds"],
        "cpu_us": 1e6 * spent["cpu_s"] / count, "peak_mb": peak_bytes(psutil.Process()) / 2**20,
    }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))) + "\n")
