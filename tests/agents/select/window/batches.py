"""Scores for tests: what a name says of its sample, so that the same name twice is the same sample."""

import numpy as np

from siftstream.schemas import Scores


def scores(
    ids: list[str],
    times: list[float] | None = None,
    *,
    version: str = "v1",
    encoder: str = "e",
    line: str = "",
    source: int = -1,
    again: bool = False,
    members: int = 1,
    dim: int = 4,
) -> Scores:
    """Return a batch whose numbers hang on names and version."""
    rng = np.random.default_rng([sum(map(ord, version)), *(sum(map(ord, name)) for name in ids)])
    return Scores(
        ids, [f"file:///{name}" for name in ids], np.array(times or np.zeros(len(ids)), np.float64),
        [{"name": name} if len(name) > 1 else {} for name in ids],
        rng.dirichlet(np.ones(3), size=(len(ids), members)).astype(np.float32),
        rng.normal(size=(len(ids), dim)).astype(np.float16),
        model_version=version, encoder=encoder, line=line, source=source, again=again,
    )  # fmt: skip
