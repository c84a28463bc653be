"""The line under other conditions: batch sizes, sources, workers, and ever more samples."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from siftstream.bench.contest import Figures, Way
from siftstream.bench.line import Line, whole_line
from siftstream.bench.load import Load
from siftstream.bench.pushing import MANY
from siftstream.bench.servers import SERVERS, SETTINGS, environment
from siftstream.bench.workbench import Workbench

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SMALL, FEW, ENOUGH = 8, 400, 1600  # below this batch size so few samples a point are enough
WORKERS = (1, 2)
SHARES = (0.25, 0.625, 1.25, 2.5, 5.0)  # of `--count`: 2,000 to 40,000


def batch_ways(bench: Workbench, limit: str) -> Iterator[Way]:
    """Yield the line with micro-batches and device batches of 1 to 256, read from files."""
    for size in SIZES:
        yield Way("batch", f"file: batch {size}", limit, partial(_batch, bench, "file", size))


def source_ways(bench: Workbench, limit: str) -> Iterator[Way]:
    """Yield the same, read from servers on this machine."""
    for scheme in SERVERS:
        for size in SIZES:
            yield Way("sources", f"{scheme}: batch {size}", limit, partial(_batch, bench, scheme, size))


def worker_ways(bench: Workbench, limit: str) -> Iterator[Way]:
    """Yield the line with one and two processes of fetch and of infer."""
    line = Line(bench.model, bench.onnx(bench.model), Load.of(bench.options.count), MANY)
    for fetch in WORKERS:
        for infer in WORKERS:
            several = replace(line, replicas={"fetch": fetch, "infer": infer})
            yield Way("workers", f"{fetch} fetch, {infer} infer", limit, partial(whole_line, bench, several))


def growth_ways(bench: Workbench, limit: str) -> Iterator[Way]:
    """Yield the line with ever more samples; files are read again under other ids where they are too few."""
    for share in SHARES:
        load = Load.of(int(bench.options.count * share))
        line = Line(bench.model, bench.onnx(bench.model), load, MANY)
        yield Way("growth", f"{load.count} samples", limit, partial(whole_line, bench, line))


def _batch(bench: Workbench, scheme: str, size: int) -> Figures:
    load = Load.of(min(bench.options.count, FEW if size < SMALL else ENOUGH))
    uris = bench.uris(bench.model.side, load.count)
    sections: dict[str, Any] = {
        "fetch": {"micro_batch": size},
        "infer": {"batch": {"min": min(32, size), "max": size}},
    }
    line = Line(bench.model, bench.onnx(bench.model), load, MANY, sections)
    if scheme != "file":
        ports = bench.ports()
        line = replace(
            line, uris=tuple(elsewhere(bench, scheme, ports, uris)), environment=environment(ports),
            sections={**sections, "fetch": {"micro_batch": size, **SETTINGS}},
        )  # fmt: skip
    return {**whole_line(bench, line), "batch": size, "scheme": scheme}


def elsewhere(bench: Workbench, scheme: str, ports: dict[str, int], uris: list[str]) -> Iterator[str]:
    """Yield the URIs of the same pictures at a server."""
    root = bench.root(bench.model.side).as_uri()
    place = SERVERS[scheme].format(port=ports[scheme])
    return (place + uri.removeprefix(root) for uri in uris)
