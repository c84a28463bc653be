"""The ways of the contest: raw limits, the line in its shapes, infer alone, and what others do."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

from siftstream.bench.alone import DECODER, RUNS, THREADS
from siftstream.bench.child import answer
from siftstream.bench.contest import Measure, Way
from siftstream.bench.decoding import ready
from siftstream.bench.encoders import Model, classifier, model_of
from siftstream.bench.infer_alone import infer_alone
from siftstream.bench.kafka_alone import kafka_alone
from siftstream.bench.line import Line, whole_line
from siftstream.bench.load import Load
from siftstream.bench.peers import PEERS, measured
from siftstream.bench.pushing import MANY, ONE
from siftstream.bench.sweeps import batch_ways, growth_ways, source_ways, worker_ways
from siftstream.bench.workbench import Workbench, cores
from siftstream.models.encoder import Encoder

LARGE_SHARE = 16  # samples of a large picture are so many times fewer
CALIBRATED_ON = 256
Figures = dict[str, Any]


def count_of(bench: Workbench, model: Model) -> int:
    """Return how many samples are measured with a model."""
    return Load.of(bench.options.count // (1 if model.side == bench.model.side else LARGE_SHARE)).count


def limit_of(model: Model) -> str:
    """Return the name of a model's raw limit: one session of one thread, run by a thread a core."""
    return f"ONNX Runtime, {model.name}"


def alone(bench: Workbench, kind: str, model: Model, onnx: bytes, count: int) -> Figures:
    """Measure a raw limit in a process of its own."""
    file = bench.folder / f"{model.name}-{len(onnx)}.onnx"
    if not file.exists():
        file.write_bytes(onnx)
    asked = bench.folder / "alone.json"
    pictures = bench.uris(model.side, count)
    asked.write_text(
        json.dumps({"onnx": str(file), "batch": model.batch, "count": count, "pictures": pictures})
    )
    return answer([sys.executable, "-m", "siftstream.bench.alone", kind, str(asked)])


def limits(bench: Workbench) -> dict[str, Measure]:
    """Return what each model is held against."""
    return {
        limit_of(model): partial(alone, bench, RUNS, model, bench.onnx(model), count_of(bench, model))
        for model in map(model_of, bench.options.models)
    }


def ways(bench: Workbench) -> Iterator[Way]:
    """Yield the ways of the parts that were asked for."""
    made = {
        "limits": limit_ways, "line": all_line_ways, "others": other_ways, "batch": batch_ways,
        "sources": source_ways, "workers": worker_ways, "growth": growth_ways,
    }  # fmt: skip
    for part in bench.options.parts:
        if part in made:
            yield from made[part](bench, limit_of(bench.model))


def limit_ways(bench: Workbench, limit: str) -> Iterator[Way]:
    """Yield other limits than the best."""
    model = bench.model
    onnx, count = bench.onnx(model), count_of(bench, model)
    yield Way(
        "limits", f"ONNX Runtime, one session of {cores()} threads", limit,
        partial(alone, bench, THREADS, model, onnx, count),
    )  # fmt: skip
    yield Way("limits", "decoder alone", limit, partial(alone, bench, DECODER, model, onnx, count))
    dim = Encoder(onnx, providers=("cpu",)).dim
    yield Way("limits", "Kafka alone", limit, partial(kafka_alone, bench, model, dim, count))


def all_line_ways(bench: Workbench, limit: str) -> Iterator[Way]:
    """Yield the line and infer alone with each model."""
    for model in map(model_of, bench.options.models):
        yield from line_ways(bench, model, bench.onnx(model), limit_of(model))
    if bench.options.int8:
        yield from int8_ways(bench, limit)


def line_ways(bench: Workbench, model: Model, onnx: bytes, limit: str, name: str = "") -> Iterator[Way]:
    """Yield the line in both shapes (large pictures: in bulk alone), and infer alone."""
    load, name = Load.of(count_of(bench, model)), name or model.name
    for shape in (ONE, MANY) if model == bench.model else (MANY,):
        yield Way(
            "line", f"siftstream, {name}, {shape}", limit,
            partial(whole_line, bench, Line(model, onnx, load, shape)),
        )  # fmt: skip
    yield Way("line", f"infer alone, {name}", limit, partial(infer_alone, bench, model, onnx, load.count))


def int8_ways(bench: Workbench, limit: str) -> Iterator[Way]:
    """Yield the line and ONNX Runtime alone with the first model in int8, held against it in fp32."""
    from siftstream.models.quantize import quantized

    model = bench.model
    onnx = quantized(bench.onnx(model), {"": ready(bench.uris(model.side, CALIBRATED_ON))})
    count = count_of(bench, model)
    yield Way(
        "limits", f"ONNX Runtime, {model.name} int8", limit,
        partial(alone, bench, RUNS, model, onnx, count),
    )  # fmt: skip
    yield from line_ways(bench, model, onnx, limit, f"{model.name} int8")


def other_ways(bench: Workbench, limit: str) -> Iterator[Way]:
    """Yield what one would write otherwise."""
    model = bench.model
    onnx = bench.folder / "classifier.onnx"
    onnx.write_bytes(classifier(bench.onnx(model)))
    for peer in PEERS:
        yield Way(
            "others", peer.name, limit,
            partial(measured, bench, peer, onnx, count_of(bench, model)),
        )  # fmt: skip
