"""The whole line on this machine: URIs pushed, fetched, inferred, selected, against ONNX Runtime alone.

`python -m benchmarks.line --data cifar10.zip --count 4000 --rounds 3` prints samples a second of the whole
line (first push to last score) and of ONNX Runtime on ready arrays (two sessions of one thread), in turn,
as minimum, median and maximum, and each stage's CPU seconds, peak memory and seconds from start to ready.
Without `--data` it makes JPEG files of noise. Measure on idle cores only.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import yaml
from kafka import KafkaConsumer, KafkaProducer
from PIL import Image

from benchmarks.resnet import resnet18
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.schemas import DataUri, ModelVersion, Scores, VersionStatus
from siftstream.settings import Settings
from siftstream.settings.load import settings_from
from siftstream.streams.broker import LocalBroker
from siftstream.streams.topics import ensure_topics

CLASSES = [str(number) for number in range(10)]
STAGES = ("fetch", "infer", "select")
ENCODERS = {"resnet18": lambda: resnet18(), "cnn": lambda: spare_cnn((3, 32, 32))}


def images(data: Path | None, count: int, folder: Path) -> list[str]:
    """Return the URIs of `count` 32x32 JPEG files below `folder`, from the zip or made."""
    folder.mkdir()
    if data is not None:
        with zipfile.ZipFile(data) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:count]
            archive.extractall(folder, names)
        return [(folder / name).as_uri() for name in names]
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path, quality=90)
    return [path.as_uri() for path in paths]


def raw(onnx: bytes, count: int) -> float:
    """Return samples a second of ONNX Runtime alone: two sessions of one thread, batches of 128."""
    sessions = [Encoder(onnx, threads=1) for _ in range(2)]
    batch = np.zeros((128, 3, 32, 32), np.uint8)
    for session in sessions:
        session.embed(batch)
    each = max(1, count // 256)

    def work(session: Encoder) -> None:
        for _ in range(each):
            session.embed(batch)

    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, sessions))
    return 2 * each * 128 / (time.perf_counter() - began)


def published(settings: Settings, onnx: bytes) -> None:
    """Put the encoder live, so that every worker runs it."""
    store = ArtifactStore.open(settings.model.artifacts)
    dim = Encoder(onnx).dim
    head = Head(
        np.random.default_rng(0).normal(0, 0.05, (1, dim, 10)).astype(np.float32),
        np.zeros((1, 10), np.float32),
    )
    version = ModelVersion(
        line="main", version="bench", classes=tuple(CLASSES), status=VersionStatus.LIVE,
        encoder=store.put(onnx, ".onnx"), head=store.put(head.to_bytes(), ".safetensors"),
    )  # fmt: skip
    producer = KafkaProducer(bootstrap_servers=settings.kafka.servers)
    producer.send(settings.pipeline.topic("models"), version.encode(), key=version.key).get(10)
    producer.close()


def whole_line(bootstrap: str, name: str, onnx: bytes, uris: list[str], folder: Path) -> dict[str, object]:
    """Run one round of the line; return its figures."""
    config = {
        "pipeline": {"name": name, "partitions": 4}, "kafka": {"bootstrap_servers": bootstrap},
        "classes": CLASSES, "model": {"artifacts": str(folder / "artifacts")}, "state": str(folder / name),
        "transform": {"height": 32, "width": 32, "channels": 3},
        "select": {
            "strategy": {"name": "least-confidence"}, "trigger": {"every": 500}, "budget": {"per_round": 125},
        },
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    settings = settings_from(config)
    ensure_topics(settings.kafka, settings.pipeline)
    published(settings, onnx)
    processes = {stage: _worker(stage, path, folder) for stage in STAGES}
    try:
        ready = {stage: _ready(folder / f"{name}-{stage}.log", time.monotonic()) for stage in STAGES}
        idle = {stage: _memory(process) for stage, process in processes.items()}
        seconds = _push_and_wait(settings, uris)
        used = {stage: psutil.Process(p.pid).cpu_times() for stage, p in processes.items()}
        return {
            "samples_a_second": len(uris) / seconds,
            "cpu_us_a_sample": {s: round(1e6 * (t.user + t.system) / len(uris)) for s, t in used.items()},
            "idle_mb": idle, "peak_mb": {s: _memory(p) for s, p in processes.items()}, "ready_s": ready,
        }  # fmt: skip
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(20)
            if process.stdin:
                process.stdin.close()


def _worker(stage: str, config: Path, folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "siftstream", "worker", stage, "--with-parent", "-c", str(config)]
    with (folder / f"{config.stem}-{stage}.log").open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)


def _ready(log: Path, began: float) -> float:
    while " runs on " not in log.read_text():
        if time.monotonic() - began > 60:
            raise SystemExit(f"{log.name}: not ready after 60 s: {log.read_text()[-300:]}")
        time.sleep(0.02)
    return round(time.monotonic() - began, 2)


def _memory(process: "subprocess.Popen[bytes]") -> int:
    return psutil.Process(process.pid).memory_info().rss >> 20


def _push_and_wait(settings: Settings, uris: list[str]) -> float:
    consumer = KafkaConsumer(
        settings.pipeline.topic("scores"), bootstrap_servers=settings.kafka.servers,
        auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=20,
    )  # fmt: skip
    producer = KafkaProducer(bootstrap_servers=settings.kafka.servers, linger_ms=5)
    began = time.perf_counter()
    for uri in uris:
        event = DataUri(uri=uri)
        producer.send(settings.pipeline.topic("data-uris"), event.encode(), key=event.key)
    scored = 0
    while scored < len(uris):
        for records in consumer.poll(timeout_ms=100).values():
            scored += sum(len(Scores.decode(record.value)) for record in records)
        if time.perf_counter() - began > 300:
            raise SystemExit(f"only {scored} of {len(uris)} scored after 300 s")
    seconds = time.perf_counter() - began
    producer.close()
    consumer.close()
    return seconds


def main() -> None:
    """Run the benchmark and print its table; `--out` keeps the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a zip of 32x32 JPEG files")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file for all figures")
    options = parser.parse_args()
    found: dict[str, list[dict[str, object]]] = {}
    with tempfile.TemporaryDirectory() as place, LocalBroker() as broker:
        folder = Path(place)
        uris = images(options.data, options.count, folder / "images")
        for encoder, make in ENCODERS.items():
            onnx = make()
            for number in range(options.rounds):
                alone = raw(onnx, options.count)
                figures = whole_line(broker.bootstrap, f"{encoder}{number}", onnx, uris, folder)
                ratio = float(str(figures["samples_a_second"])) / alone
                figures |= {"alone": alone, "ratio": ratio}
                found.setdefault(encoder, []).append(figures)
                print(encoder, number, json.dumps(figures), flush=True)
    for encoder, rounds in found.items():
        for name in ("samples_a_second", "alone", "ratio"):
            values = [float(str(figures[name])) for figures in rounds]
            low, middle, high = min(values), statistics.median(values), max(values)
            print(f"{encoder:10} {name:18} min {low:9.2f} median {middle:9.2f} max {high:9.2f}")
    if options.out:
        options.out.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
