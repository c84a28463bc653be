"""The spare encoder for every kind of input: it runs, keeps samples apart, and depends on its seed alone."""

import numpy as np
import pytest

from siftstream.models.encoder import Encoder
from siftstream.models.spare import spare_encoder
from siftstream.schemas.arrays import ArraySpec, Specs
from siftstream.schemas.errors import ModelError

INT64, FLOAT32, UINT8 = np.dtype(np.int64), np.dtype(np.float32), np.dtype(np.uint8)
RNG = np.random.default_rng(0)

KINDS: dict[str, Specs] = {
    "image": {"image": ArraySpec((3, 16, 16), UINT8)},
    "text": {"input_ids": ArraySpec((12,), INT64), "attention_mask": ArraySpec((12,), INT64)},
    "ids alone": {"ids": ArraySpec((12,), INT64)},
    "row": {"row": ArraySpec((7,), FLOAT32)},
    "log-mel": {"input_features": ArraySpec((40, 20), FLOAT32)},
    "waveform": {"input_values": ArraySpec((50_001,), FLOAT32)},
    "two arrays": {"row": ArraySpec((7,), FLOAT32), "image": ArraySpec((1, 8, 8), UINT8)},
}


def samples(specs: Specs, count: int) -> dict[str, np.ndarray]:
    made = {}
    for name, spec in specs.items():
        values = RNG.normal(size=(count, *spec.shape)) * 100
        made[name] = (np.ones if "mask" in name else np.asarray)(
            (count, *spec.shape) if "mask" in name else np.abs(values) if spec.dtype.kind != "f" else values
        ).astype(spec.dtype)
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_gets_an_embedding_that_tells_samples_apart(kind: str) -> None:
    specs = KINDS[kind]
    encoder = Encoder(spare_encoder(specs, dim=16), providers=("cpu",))
    emb = encoder.embed(samples(specs, 5))
    assert emb.shape == (5, 16)
    distances = np.linalg.norm(emb[:, None] - emb[None], axis=-1)
    assert (distances[~np.eye(5, dtype=bool)] > 1e-3).all()
    assert spare_encoder(specs, dim=16) == spare_encoder(specs, dim=16) != spare_encoder(specs, 1, dim=16)


def test_tokens_under_the_mask_do_not_count() -> None:
    specs = KINDS["text"]
    encoder = Encoder(spare_encoder(specs, dim=16), providers=("cpu",))
    one, other = samples(specs, 1), samples(specs, 1)
    mask = np.zeros((1, 12), np.int64)
    mask[:, :4] = 1
    other["input_ids"][:, :4] = one["input_ids"][:, :4]
    assert (one["input_ids"] != other["input_ids"]).any()
    first = encoder.embed({**one, "attention_mask": mask})
    np.testing.assert_allclose(first, encoder.embed({**other, "attention_mask": mask}), rtol=1e-5)
    nothing = encoder.embed({**one, "attention_mask": mask * 0})
    assert np.isfinite(nothing).all()


def test_an_array_without_numbers_is_refused() -> None:
    with pytest.raises(ModelError, match="has no numbers"):
        spare_encoder({"row": ArraySpec((0,), FLOAT32)})
