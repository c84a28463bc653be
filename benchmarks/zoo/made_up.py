"""The window of the benchmark: made up, with the shape of a real one, and the same from the same seed.

Classes are unions of three clusters in D dimensions, of uneven sizes; a linear head knows the classes' means
(it is right about five times in six), its members are that head with noise. Letters as in
`siftstream/strategies/window.py`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siftstream.strategies.beside import Labelled, LinearHead, Past, Progress, Tokens
from siftstream.strategies.window import Floats, Window

CLUSTERS, TOKENS, SITES = 3, 12, 7
APART = 3.2  # distance of two classes' means, in deviations of a cluster


@dataclass(frozen=True)
class Shape:
    """How large a window is."""

    size: int
    k: int
    classes: int = 10
    members: int = 10
    dim: int = 512
    labelled: int = 500

    def smaller(self, factor: int) -> "Shape":
        """Return a window of a part of the samples, of which the same share is chosen."""
        return Shape(
            max(4, self.size // factor), max(1, self.k // factor),
            self.classes, self.members, self.dim, max(self.classes, self.labelled // factor),
        )  # fmt: skip


def write(file: Path, shape: Shape, seed: int = 0) -> None:
    """Make the arrays of a window and write them as an `.npz`."""
    rng = np.random.default_rng(seed)
    scale = APART / np.sqrt(2 * shape.dim)
    means_CD = rng.normal(0, scale, (shape.classes, shape.dim))
    centres = means_CD[:, None] + rng.normal(0, scale / 2, (shape.classes, CLUSTERS, shape.dim))
    often_C = 1.0 / np.sqrt(1.0 + np.arange(shape.classes))
    weights_MDC = means_CD.T + rng.normal(0, scale / 3, (shape.members, shape.dim, shape.classes))
    weights_MDC = weights_MDC.astype(np.float32)
    bias_MC = np.tile(-0.5 * (means_CD**2).sum(axis=1), (shape.members, 1)).astype(np.float32)

    def samples(count: int) -> tuple[Floats, np.ndarray]:
        classes = rng.choice(shape.classes, count, p=often_C / often_C.sum())
        emb = rng.standard_normal((count, shape.dim), np.float32)
        emb += centres[classes, rng.integers(CLUSTERS, size=count)].astype(np.float32)
        return emb.astype(np.float16), classes

    emb, _ = samples(shape.size)
    known, known_classes = samples(shape.labelled)
    covered, _ = samples(shape.labelled)
    head = (weights_MDC, bias_MC)
    logits = logits_of(emb, *head)
    np.savez(
        file, emb=emb, logits=logits, probs=softmax(logits), covered=np.concatenate([known, covered]),
        keys=rng.integers(0, 2**64, shape.size, dtype=np.uint64), known=known, known_classes=known_classes,
        known_probs=softmax(logits_of(known, *head)).mean(axis=1), weights=weights_MDC, bias=bias_MC,
        tokens=softmax(rng.normal(0, 2, (shape.size, TOKENS, shape.classes)).astype(np.float32)),
        lengths=rng.integers(1, TOKENS + 1, shape.size), score=rng.random(shape.size, np.float32),
    )  # fmt: skip


def logits_of(emb_BD: Floats, weights_MDC: Floats, bias_MC: Floats) -> Floats:
    """Return what each member's head says of each row, [B, M, C]."""
    emb = emb_BD.astype(np.float32)
    return np.stack(
        [emb @ weights + bias for weights, bias in zip(weights_MDC, bias_MC, strict=True)], axis=1
    )


def softmax(logits: Floats) -> Floats:
    """Return probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def read(file: Path) -> Window:
    """Return the window of such a file, with all that any strategy may need."""
    with np.load(file) as kept:
        a = {name: kept[name] for name in kept.files}
    size = len(a["emb"])
    sites = [{"site": f"s{site}"} for site in range(SITES)]
    return Window(
        a["probs"], a["emb"], a["covered"],
        keys_B=a["keys"], logits_BMC=a["logits"], metadata=[sites[row % SITES] for row in range(size)],
        columns={"score": a["score"], "uncertainty": a["score"]}, tokens=Tokens(a["tokens"], a["lengths"]),
        labelled=Labelled(a["known"], a["known_classes"], a["known_probs"]),
        head=LinearHead(a["weights"], a["bias"]),
        progress=Progress(2, 0, (Past("margin", 0.8, 0.82), Past("random", 0.82, 0.83))),
    )  # fmt: skip
