"""Three classes of made-up features, as an experiment's material."""

import numpy as np

from siftstream.experiment.material import Material
from siftstream.models.spare import spare_encoder
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas.arrays import ArraySpec

DIM = 4


def made(count: int = 120, share: float | None = 0.25, pool: int = 120) -> Material:
    """Return features that tell three classes apart, learned by heads."""
    rng = np.random.default_rng(0)
    classes_N = np.arange(count) % 3
    emb_ND = (np.eye(3, DIM)[classes_N] * 2 + rng.normal(size=(count, DIM))).astype(np.float32)
    spec = ArraySpec((DIM,), np.dtype(np.float32))
    train = TrainSettings.model_validate({"mode": "head", "head": {"l2": 1.0}})
    encoder = spare_encoder({"features": spec}, dim=DIM)
    return Material(
        {"features": spec.empty()}, classes_N, ("a", "b", "c"), train, share, pool, encoder, emb_ND
    )
