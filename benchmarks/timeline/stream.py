"""The samples that are asked about: random scores and embeddings, by a stand-in for an encoder."""

import hashlib
from typing import Final

import numpy as np

from siftstream.schemas import Scores

CLASSES: Final = ("a", "b", "c", "d")
DIM: Final = 32
ENCODER: Final = b"nobody runs this encoder"
EACH: Final = 100  # samples a record


def records(samples: int) -> list[bytes]:
    """Return scores of so many samples as records."""
    rng = np.random.default_rng(0)
    found: list[bytes] = []
    for start in range(0, samples, EACH):
        ids = [f"s{number}" for number in range(start, start + EACH)]
        probs = rng.dirichlet(np.ones(len(CLASSES)), (EACH, 1)).astype(np.float32)
        batch = Scores(
            ids, [f"file:///{name}" for name in ids], np.zeros(EACH), [{}] * EACH, probs,
            rng.normal(size=(EACH, DIM)).astype(np.float16),
            model_version="v0", encoder=hashlib.sha256(ENCODER).hexdigest(),
        )  # fmt: skip
        found.append(batch.encode())
    return found
