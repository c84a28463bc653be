"""Windows that carry all that a strategy may need, small and made from a seed."""

from typing import Any

import numpy as np

from siftstream.strategies.beside import Labelled, LinearHead, Past, Progress, Tokens
from siftstream.strategies.needs import Need
from siftstream.strategies.window import Window

CLASSES, MEMBERS, DIM, TOKENS = 4, 3, 6, 5
COLUMNS = ("score", "uncertainty")
PAST = (Past("margin", 0.5, 0.6), Past("random", 0.6, 0.6), Past("margin", 0.6, None))


def make_window(
    seed: int,
    size: int,
    *,
    covered: int = 0,
    labelled: int = 6,
    classes: int = CLASSES,
    members: int = MEMBERS,
    dim: int = DIM,
    dtype: Any = np.float32,
    without: Need | None = None,
) -> Window:
    """Return a window of random samples in clusters, with keys that do not follow their order.

    Args:
        seed: The same seed gives the same window.
        size: Samples, B.
        covered: Covered samples, N.
        labelled: Labelled samples, L.
        classes: C.
        members: M.
        dim: D.
        dtype: Type of probabilities and embeddings.
        without: What it shall lack.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 3, (3, dim))
    weights = rng.normal(0, 1, (members, dim, classes))
    bias = rng.normal(0, 0.3, (members, classes))

    def points(count: int) -> Any:
        return (centres[rng.integers(3, size=count)] + rng.normal(0, 1, (count, dim))).astype(dtype)

    def logits_of(emb: Any) -> Any:
        return np.einsum("bd,mdc->bmc", emb.astype(np.float64), weights) + bias

    def probs_of(logits: Any) -> Any:
        exps = np.exp(logits - logits.max(axis=2, keepdims=True))
        return exps / exps.sum(axis=2, keepdims=True)

    emb, known = points(size), points(labelled)
    logits = logits_of(emb)
    probs = probs_of(logits).astype(dtype)
    if without in (Need.PROBS, Need.GRADIENT):
        probs, logits = probs[:, :, :0], logits[:, :, :0]
    if without is Need.MEMBERS:
        probs, logits = probs[:, :1], logits[:, :1]
    shown = 0 if without is Need.EMBEDDINGS else dim
    sites = [{"site": f"s{site}"} for site in rng.integers(3, size=size)]
    token_probs = rng.dirichlet(np.ones(classes), (size, TOKENS))
    lengths = rng.integers(1, TOKENS + 1, size)
    head = LinearHead(weights.astype(np.float32), bias.astype(np.float32))
    return Window(
        probs, emb[:, :shown], points(covered)[:, :shown],
        keys_B=rng.integers(0, 2**64, size, dtype=np.uint64),
        logits_BMC=logits.astype(dtype),
        metadata=None if without is Need.METADATA else sites,
        columns=None if without is Need.COLUMNS else {name: rng.random(size) for name in COLUMNS},
        tokens=None if without is Need.TOKENS else Tokens(token_probs, lengths),
        labelled=None if without is Need.LABELLED else Labelled(
            known[:, :shown], rng.integers(classes, size=labelled),
            probs_of(logits_of(known)).mean(axis=1).astype(dtype),
        ),
        head=None if without is Need.HEAD else head,
        progress=Progress(3, 1, PAST),
    )  # fmt: skip


def constant_window(value: float, size: int, *, covered: int = 0, dtype: Any = np.float32) -> Window:
    """Return a window whose samples are all alike: probabilities of `value`, embeddings of `value`."""
    whole = make_window(0, size)
    assert whole.tokens is not None
    assert whole.labelled is not None
    assert whole.head is not None
    shape = (size, MEMBERS, CLASSES)

    def like(*shape: int) -> Any:
        return np.full(shape, value, dtype)

    return Window(
        like(*shape), like(size, DIM), like(covered, DIM),
        keys_B=whole.keys_B, logits_BMC=np.zeros(shape, dtype), metadata=[{"site": "s0"}] * size,
        columns={name: np.full(size, value) for name in COLUMNS},
        tokens=Tokens(like(size, TOKENS, CLASSES), np.full(size, TOKENS)),
        labelled=Labelled(like(4, DIM), np.zeros(4, np.int64), like(4, CLASSES)),
        head=LinearHead(np.zeros((MEMBERS, DIM, CLASSES)), np.zeros((MEMBERS, CLASSES))),
        progress=whole.progress,
    )  # fmt: skip
