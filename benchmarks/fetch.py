"""The fetch stage without Kafka, against a bare loop of the same decoder in as many threads.

`python -m benchmarks.fetch --data cifar10.zip` loads 32x32 and 1-megapixel JPEGs from `file:`, `http:`, `s3:`
and `ftp:`, the servers on loopback in processes of their own, through the reader, the crew and the packer
that the stage runs (duplicates off, cache off), and prints images a second and CPU microseconds an image.
The bare loops run in the same round: `decode` has the bytes in memory, `bare` opens, reads and decodes the
files. `file` is one worker with that many decoding threads, `workers` as many workers of one thread each (one
process each, as a consumer group scales). All share the same cores, the servers too. Measure on idle cores.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.servers import SERVERS, serve
from siftstream.agents.fetch.flow import Flow
from siftstream.agents.fetch.intake import Arrival
from siftstream.agents.fetch.loaders import Reader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms import Transform, make_transform
from siftstream.agents.fetch.transforms.settings import ImageSettings
from siftstream.schemas import DataUri, Features
from siftstream.schemas.bulk import decode_many
from siftstream.streams.record import Record
from siftstream.streams.work import Work

AT_ONCE = 256  # records that Kafka hands over together


@dataclass(frozen=True)
class Case:
    """One kind of picture."""

    name: str
    files: Sequence[Path]
    times: int  # how often each is loaded a round
    transform: ImageSettings


def cases(options: argparse.Namespace, folder: Path) -> Iterator[Case]:
    """Yield small JPEGs to 32x32, and 1-megapixel JPEGs to 224x224."""
    yield Case("32x32", small_files(options.data, options.count, folder), 1, ImageSettings())
    yield Case("1 megapixel", large_files(options.large, folder), 4, ImageSettings(height=224, width=224))


def small_files(data: Path | None, count: int, folder: Path) -> list[Path]:
    """Return JPEG files of 32x32 pixels, from the zip or made of noise."""
    if data is not None:
        with zipfile.ZipFile(data) as archive:
            names = [name for name in archive.namelist() if name.endswith(".jpg")][:count]
            archive.extractall(folder, names)
        return [folder / name for name in names]
    rng = np.random.default_rng(0)
    paths = [folder / f"small-{number}.jpg" for number in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path, quality=90)
    return paths


def large_files(count: int, folder: Path) -> list[Path]:
    """Return JPEG files of 1152x896 pixels with soft shapes, about 120 KB each."""
    rng = np.random.default_rng(0)
    paths = [folder / f"large-{number}.jpg" for number in range(count)]
    for path in paths:
        coarse = Image.fromarray(rng.integers(0, 255, (28, 36, 3), dtype=np.uint8))
        fine = np.asarray(coarse.resize((1152, 896), Image.Resampling.BICUBIC)).astype(np.int16)
        fine += rng.integers(-6, 7, fine.shape, dtype=np.int16)
        Image.fromarray(fine.clip(0, 255).astype(np.uint8)).save(path, quality=88)
    return paths


def timed(count: int, work: Callable[[], Any]) -> tuple[float, float]:
    """Return images a second, and this process's CPU microseconds an image."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    seconds = time.perf_counter() - wall
    return count / seconds, (time.process_time() - cpu) / count * 1e6


def in_threads(threads: int, each: Callable[[Any], object], items: Sequence[Any]) -> None:
    """Call `each` for every item, dealt out to the threads."""

    def part(mine: Sequence[Any]) -> None:
        for item in mine:
            each(item)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, [items[number::threads] for number in range(threads)]))


def read_and(transform: Transform, path: str) -> None:
    """Open, read, decode: what a tight script does a file."""
    with open(path, "rb") as file:  # noqa: PTH123 - the shortest way there is
        transform(file.read())


def came(value: bytes) -> Arrival:
    """Return a record as fetch takes it in."""
    return Arrival(Record("data-uris", 0, 0, None, value), decode_many(value)[0], None)


async def through_flow(uris: Sequence[str], transform: Transform, threads: int) -> tuple[float, float]:
    """Run URIs through the flow of the stage; every one must arrive.

    Returns wall and CPU seconds from the first record taken to the last batch sent: a worker starts once.
    """
    settings = FetchSettings(
        schemes=("file", "http", "s3", "ftp"), allow_private_addresses=("localhost", "127.0.0.1"),
        decode_threads=threads, dedup="none",
    )  # fmt: skip
    arrived = 0

    async def send(work: Work) -> None:
        nonlocal arrived
        if work.refused:
            raise SystemExit(f"refused: {work.refused[0][1]}")
        arrived += sum(len(Features.decode(output.value)) for output in work.outputs)

    async def ack(tokens: Sequence[Any]) -> None:
        del tokens

    values = [DataUri(uri=uri).encode() for uri in uris]
    async with Reader(settings) as reader:
        flow = Flow(settings, transform, reader, 4, send=send, ack=ack, count=lambda name, number: None)
        await reader.read(uris[0])  # what is imported and looked up with the first
        wall, cpu = time.perf_counter(), time.process_time()
        async with flow.running():
            for start in range(0, len(values), AT_ONCE):
                await flow.take([came(value) for value in values[start : start + AT_ONCE]])
        spent = time.perf_counter() - wall, time.process_time() - cpu
    if arrived != len(uris):
        raise SystemExit(f"{arrived} of {len(uris)} arrived")
    return spent


def in_workers(workers: int, uris: Sequence[str], transform: ImageSettings) -> tuple[float, float]:
    """Share the URIs out to worker processes; start-up does not count."""
    context = multiprocessing.get_context("spawn")
    barrier, spent = context.Barrier(workers + 1), context.SimpleQueue()
    processes = [
        context.Process(target=worker, args=(uris[number::workers], transform, barrier, spent))
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    barrier.wait(60)
    walls, cpus = zip(*(spent.get() for _ in processes), strict=True)
    for process in processes:
        process.join()
    return len(uris) / max(walls), sum(cpus) / len(uris) * 1e6


def worker(uris: Sequence[str], transform: ImageSettings, barrier: Any, spent: Any) -> None:
    """Run URIs through a flow of one thread, and tell the CPU seconds that they took."""
    made = make_transform(transform)
    asyncio.run(through_flow(uris[:8], made, 1))  # imports and first calls
    barrier.wait(60)
    spent.put(asyncio.run(through_flow(uris, made, 1)))


def one_round(
    case: Case, folder: Path, ports: dict[str, int], threads: int
) -> dict[str, tuple[float, float]]:
    """Return images a second and CPU microseconds an image of every way, in one round."""
    transform = make_transform(case.transform)
    files = [path for _ in range(case.times) for path in case.files]
    paths = [str(path) for path in files]
    count = len(paths)
    data = [path.read_bytes() for path in files]
    found = {
        "decode": timed(count, partial(in_threads, threads, transform, data)),
        "bare": timed(count, partial(in_threads, threads, partial(read_and, transform), paths)),
    }
    places = {"file": folder.as_uri(), **{name: at.format(port=ports[name]) for name, at in SERVERS.items()}}
    for scheme, place in places.items():
        uris = [f"{place}/{path.relative_to(folder)}" for path in files]
        wall, cpu = asyncio.run(through_flow(uris, transform, threads))
        found[scheme] = count / wall, cpu / count * 1e6
        if scheme == "file":
            found["workers"] = in_workers(threads, uris, case.transform)
    return found


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[dict[str, int]]:
    """Run each server in a process of its own; give their ports."""
    context = multiprocessing.get_context("spawn")
    started: list[tuple[Any, Any]] = []
    ports: dict[str, int] = {}
    try:
        for name in SERVERS:
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(name, folder, theirs), daemon=True)
            process.start()
            started.append((process, ours))
            ports[name] = ours.recv()
        yield ports
    finally:
        for process, pipe in started:
            pipe.close()
            process.terminate()
            process.join()


def show(case: str, rounds: list[dict[str, tuple[float, float]]]) -> dict[str, Any]:
    """Print a line a way; return the figures."""
    table: dict[str, Any] = {}
    print(f"\n{case}: images/s min median max | CPU us an image | ratio to bare, to decode (min median max)")
    for way in rounds[0]:
        rates = sorted(entry[way][0] for entry in rounds)
        cpu = statistics.median(entry[way][1] for entry in rounds)
        ratios = {
            base: sorted(entry[way][0] / entry[base][0] for entry in rounds) for base in ("bare", "decode")
        }
        table[way] = {"images_a_second": rates, "cpu_us_an_image": cpu, "ratio": ratios}
        words = " | ".join(" ".join(f"{v:.2f}" for v in three(ratios[base])) for base in ratios)
        speeds = " ".join(f"{v:8,.0f}" for v in three(rates))
        print(f"{way:8} {speeds} | {cpu:7.0f} | {words}", flush=True)
    return table


def three(values: Sequence[float]) -> tuple[float, float, float]:
    """Return minimum, median and maximum."""
    return values[0], statistics.median(values), values[-1]


def main() -> None:
    """Run the benchmark and print its tables; `--out` keeps the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a zip of 32x32 JPEG files; none: pictures of noise")
    parser.add_argument("--count", type=int, default=10000, help="small pictures")
    parser.add_argument("--large", type=int, default=100, help="1-megapixel pictures")
    parser.add_argument("--threads", type=int, default=2, help="decoding threads, here and in the bare loops")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_REGION": "us-east-1"}
    kept: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made = list(cases(options, folder))
        with servers(folder) as ports:
            os.environ["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{ports['s3']}"
            for case in made:
                rounds = [one_round(case, folder, ports, options.threads) for _ in range(options.rounds)]
                kept[case.name] = show(case.name, rounds)
    if options.out:
        options.out.write_text(json.dumps(kept, indent=2))


if __name__ == "__main__":
    main()
