"""Random choice, really trained: the same training on as many randomly chosen labels, offline.

`python -m siftstream.demo.baseline SPEC` is a child process of low priority, the demo's only place
with torch beside the trainer's child. It writes a JSON line a number of labels: `{"labels": 20,
"accuracies": [0.61, 0.58, 0.66]}`, one accuracy a seed, and ends when each seed has reached the target.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from siftstream.demo.digits import CLASSES, Digits, read_images
from siftstream.demo.result import TARGET
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas.errors import TrainingError
from siftstream.streams.lifeline import end_with_parent

NICE = 19


class Spec(BaseModel):
    """What to train."""

    stream: list[Path]
    holdout: list[Path]
    counts: list[int]
    seeds: list[int]
    train: TrainSettings


async def follow(folder: Path, spec: Spec, hear: Callable[[int, list[float]], None]) -> None:
    """Run the child and hear each number of labels as it is done; cancelling ends the child.

    Raises:
        TrainingError: the child failed.
    """
    file = folder / "baseline.json"
    file.write_text(spec.model_dump_json(), encoding="utf-8")
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "logs" / "baseline.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "siftstream.demo.baseline", str(file),
            stdin=PIPE, stdout=PIPE, stderr=log, env=environment, start_new_session=True,
        )  # fmt: skip
    assert child.stdout is not None
    try:
        async for line in child.stdout:
            told = json.loads(line)
            hear(told["labels"], told["accuracies"])
        if await child.wait():
            raise TrainingError(f"the random baseline ended with code {child.returncode}: see {log.name}")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        if child.stdin is not None:
            child.stdin.close()


def main(file: Path) -> None:
    """Train number by number, all seeds at each, until every seed has once reached the target."""
    end_with_parent()
    os.nice(NICE)
    spec = Spec.model_validate_json(file.read_bytes())
    digits = Digits(tuple(spec.stream), tuple(spec.holdout))
    (images, targets), (judged, truth) = read_images(digits.stream), read_images(digits.holdout)
    orders = [np.random.default_rng([seed, len(images)]).permutation(len(images)) for seed in spec.seeds]
    reached: set[int] = set()
    for count in spec.counts:
        if count > len(images) or len(reached) == len(spec.seeds):
            break
        accuracies: list[float] = []
        for seed, order in zip(spec.seeds, orders, strict=True):
            rows = order[:count]
            settings = spec.train.model_copy(update={"seed": seed})
            accuracies.append(accuracy_of(images[rows], targets[rows], judged, truth, settings))
        reached |= {seed for seed, share in zip(spec.seeds, accuracies, strict=True) if share >= TARGET}
        print(json.dumps({"labels": count, "accuracies": accuracies}), flush=True)  # noqa: T201 - the protocol


def accuracy_of(
    images: NDArray[np.uint8],
    targets: NDArray[np.int64],
    judged: NDArray[np.uint8],
    truth: NDArray[np.int64],
    settings: TrainSettings,
) -> float:
    """Train on images and targets by the trainer's own code; return the accuracy on the judged ones."""
    import torch  # the child alone

    from siftstream.models.cnn import cnn_onnx
    from siftstream.models.encoder import Encoder
    from siftstream.models.loaded import LoadedModel
    from siftstream.models.training.full.fit import fit_cnn

    torch.set_num_threads(1)
    fitted, weights = fit_cnn(images, targets, len(CLASSES), settings)
    encoder = Encoder(cnn_onnx(weights, images.shape[1:]), threads=1, providers=("cpu",))
    probs_BMC, _ = LoadedModel("random", CLASSES, encoder, fitted.head).predict(judged)
    return float((probs_BMC.mean(axis=1).argmax(axis=1) == truth).mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
