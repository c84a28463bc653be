"""Pseudo-labels: only what the live version is sure of, never the held-out share, and told apart."""

from collections.abc import AsyncGenerator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from siftstream.agents.retrain.pseudo import PseudoLabels, joined_by, real
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.lineage import Lineage
from siftstream.models.training.settings import PseudoSettings
from siftstream.schemas import ModelVersion, Progress, Scores, Slice, VersionStatus, share_of
from tests.agents.retrain.parts import CLASSES, FULL, HEAD, Bench, labels, picture, snapshot

SURE, MOST_SURE, UNSURE = 0.95, 0.99, 0.6
LIVE = ModelVersion(
    line="main", version="v1", classes=CLASSES, status=VersionStatus.FAILED, reason="never loaded here"
)


def scores(
    ids: Sequence[str], sure: Sequence[float], *, version: str = "v1", line: str = "main",
    emb: np.ndarray | None = None, uris: Sequence[str] | None = None, encoder: str = "ab",
) -> Scores:  # fmt: skip
    probs = np.array([[[1 - p, p]] for p in sure], np.float32)
    emb = np.zeros((len(ids), 4), np.float16) if emb is None else emb
    return Scores(
        ids, uris or [f"file:///{name}" for name in ids], np.zeros(len(ids)), [{}] * len(ids), probs, emb,
        model_version=version, encoder=encoder, line=line,
    )  # fmt: skip


class Stream:
    """The tail of `scores`, newest first, which notes how far it was read."""

    def __init__(self, *parts: Sequence[Scores]) -> None:
        self.parts, self.read = parts, 0

    async def latest(self) -> AsyncGenerator[Sequence[Scores], None]:
        """Give the parts."""
        for part in self.parts:
            self.read += 1
            yield part


def sure_of(stream: Stream, **said: object) -> PseudoLabels:
    settings = PseudoSettings.model_validate({"confidence": 0.9, **said})
    return PseudoLabels(settings, "main", 0.1, stream.latest)


EMPTY = snapshot([], [], np.zeros(0, np.int64), [])


def trainable(count: int, start: int = 0) -> list[str]:
    """Return names of samples outside the held-out share."""
    names = (f"p{number}" for number in range(start, 10_000))
    return list(islice((name for name in names if share_of(name, "holdout") >= 0.1), count))


async def test_only_what_the_live_version_is_sure_of_is_taken():
    ids = trainable(4)
    stream = Stream([scores(ids, [SURE, UNSURE, 1 - SURE, MOST_SURE])])
    found = await sure_of(stream).of(EMPTY, LIVE)
    assert found is not None
    assert list(found.ids) == [ids[0], ids[2], ids[3]]
    assert found.classes_K.tolist() == [1, 0, 1]


@pytest.mark.parametrize("other", [{"version": "v0"}, {"line": "shadow"}])
async def test_no_other_version_and_no_other_line_is_believed(other: dict[str, Any]):
    assert await sure_of(Stream([scores(trainable(3), [SURE] * 3, **other)])).of(EMPTY, LIVE) is None


async def test_the_held_out_share_is_never_taken():
    ids = [f"h{number}" for number in range(500)]
    found = await sure_of(Stream([scores(ids[at : at + 250], [SURE] * 250) for at in (0, 250)])).of(
        EMPTY, LIVE
    )
    assert found is not None
    assert set(found.ids) == {name for name in ids if share_of(name, "holdout") >= 0.1}
    assert len(found) < 480


async def test_what_has_a_label_or_came_twice_is_taken_once_or_never():
    a, b, c = trainable(3)
    pool = snapshot([a], [f"file:///{a}"], np.array([0]), [Slice.TRAIN])
    newer, older = scores([b, a], [SURE, SURE]), scores([b, c], [1 - SURE, SURE])
    found = await sure_of(Stream([newer, older])).of(pool, LIVE)
    assert found is not None
    assert list(found.ids) == [b, c]
    assert found.classes_K.tolist() == [1, 1]  # the newer answer


async def test_the_newest_so_many_are_taken_and_no_more_is_read():
    ids = trainable(40)
    stream = Stream(*([scores(ids[at : at + 10], [SURE] * 10)] for at in range(0, 40, 10)))
    found = await sure_of(stream, most=15).of(EMPTY, LIVE)
    assert found is not None
    assert list(found.ids) == ids[:15]
    assert stream.read == 2


async def test_a_stream_that_nobody_is_sure_of_is_not_read_to_its_end():
    ids = trainable(100)
    stream = Stream(*([scores(ids, [UNSURE] * 100)] for _ in range(50)))
    assert await sure_of(stream, most=10).of(EMPTY, LIVE) is None
    assert stream.read == 2


async def test_joined_to_the_labels_they_are_told_apart():
    ids = trainable(2)
    found = await sure_of(Stream([scores(ids, [SURE] * 2)])).of(EMPTY, LIVE)
    assert found is not None
    pool = snapshot(["x"], ["file:///x"], np.array([0]), [Slice.HOLDOUT])
    joined = joined_by(pool, found)
    assert real(joined).tolist() == [True, False, False]
    assert joined.where(Slice.TRAIN).tolist() == [1, 2]
    assert joined.upto == pool.upto


@pytest.mark.parametrize("train", [HEAD, FULL])
async def test_a_course_learns_them_lightly_and_counts_only_real_labels(
    tmp_path: Path, train: dict[str, object]
):
    bench = Bench(tmp_path, {**train, "pseudo": {"confidence": 0.9, "weight": 0.25}})
    pool = labels(tmp_path / "images")

    async def nobody() -> ModelVersion | None:
        return None

    def silent(_: Progress) -> None:
        pass

    first = await bench.course().run("v1", pool, nobody, silent)
    assert first.encoder is not None
    ids, rng = trainable(5), np.random.default_rng(9)
    uris = [picture(tmp_path / f"{name}.png", 1, rng) for name in ids]
    emb = np.ones((5, 8), np.float16)
    stream = Stream([scores(ids, [SURE] * 5, uris=uris, emb=emb, encoder=first.encoder.sha256)])
    bench.samples.read.clear()

    async def live() -> ModelVersion | None:
        return first

    second = await bench.course(sure_of(stream)).run("v2", pool, live, silent)
    assert second.status is not VersionStatus.FAILED, second.reason
    assert bench.samples.read == ([] if train is HEAD else [*pool.uris, *uris])
    assert (second.trained_on, sum(second.learned_from.values())) == (60, 60)
    assert second.metrics["pseudo_labels"] == 5
    assert second.lineage is not None
    told = Lineage.from_bytes(ArtifactStore.open(bench.model.artifacts).get(second.lineage))
    assert told.ids[-5:] == tuple(ids)
    assert told.offsets[-5:] == (-1,) * 5
    assert told.weights[-5:] == (0.25,) * 5
    assert bench.embeddings.find(first.encoder.sha256, bench.samples.keys(uris)) is None  # half precision
