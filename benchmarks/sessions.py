"""How a model is best run on this machine's cores, and what a kept optimised graph saves when it is opened.

`python -m benchmarks.sessions` prints JSON, minimum, median and maximum of everything: the seconds of opening
an encoder plainly, with its optimised graph written, and from that graph; the CPU of `embed` as a ratio to a
bare run; and for each way of using two cores the images a second and the CPU an image as ratios to the first
way in the same round, alone and beside one busy process, as fetch's decoders are.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from siftstream.bench.resnet import resnet18
from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.session import Graph, open_on

BATCH = 128
WAYS: dict[str, tuple[int, int, int]] = {  # sessions, threads of each, runs at once
    "1 session of 1 thread, 2 runs": (1, 1, 2),
    "2 sessions of 1 thread": (2, 1, 2),
    "1 session of 2 threads, 1 run": (1, 2, 1),
    "1 session of 2 threads, 2 runs": (1, 2, 2),
    "1 session of 1 thread, 4 runs": (1, 1, 4),
}


def cost(encoders: Sequence[Encoder], runs: int, batches: int, batch: np.ndarray) -> tuple[float, float]:
    """Return images a second, and CPU seconds an image, of so many batches that the runs share."""
    with ThreadPoolExecutor(runs) as pool:
        began, used = time.perf_counter(), time.process_time()
        list(pool.map(lambda n: encoders[n % len(encoders)].embed(batch), range(batches)))
        images = batches * len(batch)
        return images / (time.perf_counter() - began), (time.process_time() - used) / images


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many foreign processes computing meanwhile."""
    running = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(processes)]
    for process in running:
        process.start()
    try:
        yield
    finally:
        for process in running:
            process.terminate()
            process.join()


def _spin() -> None:
    while True:
        sum(range(10_000))


def threads(rounds: int, batches: int) -> dict[str, Any]:
    """Compare the ways, interleaved, alone and beside a busy process."""
    onnx = resnet18()
    batch = np.random.default_rng(0).integers(0, 256, (BATCH, 3, 32, 32)).astype(np.uint8)
    made = {
        name: [Encoder(onnx, threads=size, providers=("cpu",)) for _ in range(sessions)]
        for name, (sessions, size, _) in WAYS.items()
    }
    found: dict[str, Any] = {}
    for foreign in (0, 1):
        costs: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        with busy(foreign):
            for _ in range(rounds):
                for name, (_, _, runs) in WAYS.items():
                    costs[name].append(cost(made[name], runs, batches, batch))
        first = costs[next(iter(WAYS))]
        found[f"{foreign} busy processes beside"] = {
            name: {
                what: _spread([own[at] / theirs[at] for own, theirs in zip(values, first, strict=True)])
                for at, what in enumerate(("images a second", "CPU an image"))
            }
            for name, values in costs.items()
        }
    return found


def around_a_run(rounds: int) -> dict[str, Any]:
    """Compare `Encoder.embed` with the bare run of the same session."""
    found: dict[str, Any] = {}
    for name, onnx in {"ResNet-18": resnet18(), "small CNN": spare_cnn((3, 32, 32))}.items():
        encoder, bare = Encoder(onnx, providers=("cpu",)), open_on(Graph(onnx), "cpu")
        batch = np.random.default_rng(0).integers(0, 256, (BATCH, 3, 32, 32)).astype(np.uint8)
        source, output = next(iter(encoder.inputs)), bare.get_outputs()[0].name
        ratios: list[float] = []
        for _ in range(rounds):
            used = time.thread_time()
            bare.run([output], {source: batch})
            between = time.thread_time()
            encoder.embed(batch)
            ratios.append((time.thread_time() - between) / (between - used))
        found[name] = _spread(ratios)
    return found


def opening(rounds: int) -> dict[str, Any]:
    """Compare opening plainly with opening the graph that ONNX Runtime optimised before."""
    found: dict[str, Any] = {}
    for name, onnx in {"ResNet-18": resnet18(), "small CNN": spare_cnn((3, 32, 32))}.items():
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder) / "kept.onnx"
            ways: dict[str, Callable[[], Any]] = {
                "plain": lambda onnx=onnx: _open(onnx),
                "plain, and the graph written": lambda onnx=onnx, kept=kept: _open(onnx, write=kept),
                "from the graph kept": lambda kept=kept: _open(kept.read_bytes(), optimise=False),
            }
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(rounds):
                for way, do in ways.items():
                    began = time.perf_counter()
                    do()
                    seconds[way].append(time.perf_counter() - began)
            found[name] = {"bytes": len(onnx)} | {way: _spread(values) for way, values in seconds.items()}
    return found


def _open(onnx: bytes, *, write: Path | None = None, optimise: bool = True) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if write is not None:
        options.optimized_model_filepath = str(write)
    if not optimise:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(onnx, sess_options=options, providers=["CPUExecutionProvider"])


def _spread(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in (min(values), statistics.median(values), max(values))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=16, help="of 128 images, each way and round")
    asked = parser.parse_args()
    found = {
        "load average at the start": os.getloadavg(),
        "opening, seconds": opening(asked.rounds),
        "embed as a ratio to the bare run, CPU": around_a_run(5 * asked.rounds),
        "ways to use two cores, as a ratio to the first": threads(asked.rounds, asked.batches),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
