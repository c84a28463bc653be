"""What full mode's settings do to the built-in CNN: a warm start on digits, augmentation on CIFAR-10.

    python -m benchmarks.full_mode warm --seeds 5
    python -m benchmarks.full_mode cifar cifar10-jpeg.zip --labels 1000 --set augment.flip=true

`warm` trains on some of scikit-learn's digits, gets more labels, and trains again for a number of steps from
random weights and from its own; 400 digits are held out. `cifar` trains on images of a zip of
`cifar10/train/CLASS/NUMBER.jpg` and judges on 2,000 of `cifar10/test`. One thread each.
"""

import argparse
import io
import json
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from siftstream.models.cnn import cnn_onnx
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.training.full.built_in import BuiltIn
from siftstream.models.training.full.fit import fit, fit_cnn
from siftstream.models.training.full.labels import Labels
from siftstream.models.training.full.warm_start import begin_with, weights_file
from siftstream.models.training.settings import TrainSettings

HELD_OUT = 400
GROWTH = ((20, 30), (50, 70), (100, 140))  # labels before, labels after
STEPS = (30, 100, 300)
JUDGED = 2000


def warm(options: argparse.Namespace) -> None:
    """Print accuracy after so many steps, from random weights and from those of fewer labels."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    images = (bunch.images * 255 / 16).round().astype(np.uint8)[:, None]
    targets = bunch.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    held, pool = order[:HELD_OUT], order[HELD_OUT:]

    def run(rows: NDArray[np.intp], seed: int, steps: int, start: bytes | None) -> tuple[float, bytes]:
        full = {"epochs": 1, "min_steps": steps, "max_steps": steps}
        settings = TrainSettings.model_validate({"seed": seed, "full": full})
        learner = BuiltIn("image", images.shape[1:], settings.full.dim, seed)

        def labels(which: NDArray[np.intp]) -> Labels:
            return Labels({"image": images}, which, targets[which], np.ones(len(which), np.float32))

        def begin(heads: list[torch.Tensor]) -> None:
            if start is not None:
                begin_with(start, learner, heads)

        fitted = fit(learner, labels(rows), labels(rows[:0]), 10, settings, lambda _: None, begin)
        reached = accuracy(learner.onnx(), fitted.head, images[held], targets[held])
        return reached, weights_file(learner, fitted.heads)

    for before, after in GROWTH:
        found: dict[str, list[float]] = {}
        for seed in range(options.seeds):
            rows = np.random.default_rng(seed).permutation(pool)
            reached, start = run(rows[:before], seed, STEPS[-1], None)
            found.setdefault(f"{before} labels", []).append(reached)
            for steps in STEPS:
                for name, weights in (("fresh", None), ("warm", start)):
                    reached, _ = run(rows[:after], seed + 100, steps, weights)
                    found.setdefault(f"{after} labels, {steps} steps, {name}", []).append(reached)
        for name, values in found.items():
            error = np.std(values) / len(values) ** 0.5
            print(f"{name:32} {np.mean(values):.3f} (standard error {error:.3f}, {len(values)} seeds)")


def cifar(options: argparse.Namespace) -> None:
    """Print the accuracy that the CNN reaches on CIFAR-10."""
    settings = TrainSettings.model_validate({"seed": options.seed, "full": nested(options.set)})
    images, targets = pictures(options.zip, "train", options.labels)
    judged, truth = pictures(options.zip, "test", JUDGED)
    began = time.process_time()
    fitted, weights = fit_cnn(images, targets, 10, settings)
    seconds = time.process_time() - began
    reached = accuracy(cnn_onnx(weights, images.shape[1:]), fitted.head, judged, truth)
    words = f"{options.labels} labels, {fitted.steps} steps, {seconds:.0f} s of one core, {options.set}"
    print(f"accuracy {reached:.3f} on {JUDGED} ({words})")


def accuracy(onnx: bytes, head: Head, images: NDArray[np.uint8], truth: NDArray[np.int64]) -> float:
    """Return the share of images that encoder and head answer rightly."""
    encoder = Encoder(onnx, threads=1, providers=("cpu",))
    parts = [encoder.embed(images[at : at + 250]) for at in range(0, len(images), 250)]
    return float((head.probs(np.concatenate(parts)).mean(axis=1).argmax(axis=1) == truth).mean())


def pictures(path: Path, part: str, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return `count` random images [count, 3, 32, 32] of a part, always the same ones, and their classes."""
    with zipfile.ZipFile(path) as file:
        names = sorted(n for n in file.namelist() if f"/{part}/" in n and n.endswith(".jpg"))
        classes = sorted({name.split("/")[-2] for name in names})
        chosen = [names[row] for row in np.random.default_rng(0).permutation(len(names))[:count]]
        images = [np.asarray(Image.open(io.BytesIO(file.read(name))).convert("RGB")) for name in chosen]
    targets = np.array([classes.index(name.split("/")[-2]) for name in chosen])
    return np.stack(images).transpose(0, 3, 1, 2), targets


def nested(pairs: Sequence[str]) -> dict[str, Any]:
    """Return `a.b=1` as {"a": {"b": 1}}.

    >>> nested(["augment.flip=true", "epochs=10"])
    {'augment': {'flip': True}, 'epochs': 10}
    """
    made: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        *path, last = name.split(".")
        place = made
        for part in path:
            place = place.setdefault(part, {})
        place[last] = json.loads(value)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="What full mode's settings do to the built-in CNN.")
    commands = parser.add_subparsers(required=True)
    starts = commands.add_parser("warm", help="warm against fresh start on digits")
    starts.add_argument("--seeds", type=int, default=5)
    starts.set_defaults(run=warm)
    images = commands.add_parser("cifar", help="accuracy on CIFAR-10")
    images.add_argument("zip", type=Path)
    images.add_argument("--labels", type=int, default=1000)
    images.add_argument("--seed", type=int, default=0)
    images.add_argument("--set", action="append", default=[], help="a setting of retrain.train.full, as JSON")
    images.set_defaults(run=cifar)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
