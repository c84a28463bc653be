"""Micro-batches are read when they come in or refused, and never half read later."""

import numpy as np
import pyarrow as pa
import pytest

from siftstream.schemas import Scores
from siftstream.schemas.columns import Column
from siftstream.schemas.errors import SchemaError


def made(
    metadata: list[dict[str, str]], *, time: float = 0.0, emb: float = 0.0, uri: str = "file:///ü"
) -> Scores:
    size = len(metadata)
    return Scores(
        [f"s{n}" for n in range(size)], [uri] * size, np.full(size, time), metadata,
        np.full((size, 1, 2), 0.5, np.float32), np.full((size, 3), emb, np.float16),
        model_version="v1", encoder="e",
    )  # fmt: skip


def test_what_was_encoded_is_read_again() -> None:
    metadata = [{"site": "a"}, {}, {"site": "b", "score": "1"}]
    sent = made(metadata)
    read = Scores.decode(sent.encode())
    assert (read.sample_ids, read.uris, read.metadata) == (sent.sample_ids, sent.uris, metadata)
    assert (read.uris[0], read.uris[1:], read.metadata[2]["site"]) == (sent.uris[0], sent.uris[1:], "b")
    assert Scores.decode(made([{}, {}]).encode()).metadata == [{}, {}]


def test_a_column_is_made_python_when_it_is_first_read() -> None:
    asked: list[str] = []
    column = Column(pa.array(["a", "b"]), lambda text: asked.append(text) or text.upper())
    assert (len(column), asked) == (2, [])
    assert [*column, column[0], "B" in column] == ["A", "B", "A", True]
    assert asked == ["a", "b"]


def test_bytes_that_are_no_text_are_refused_at_once() -> None:
    value = made([{}]).encode().replace("ü".encode(), b"\xff\xfe")
    with pytest.raises(SchemaError, match="not a readable micro-batch"):
        Scores.decode(value)


@pytest.mark.parametrize("batch", [made([{}], time=np.inf), made([{}], emb=np.nan), made([{}], emb=-np.inf)])
def test_numbers_that_are_not_finite_are_refused(batch: Scores) -> None:
    with pytest.raises(SchemaError, match="no finite number"):
        Scores.decode(batch.encode())


def test_a_sample_without_a_uri_is_refused() -> None:
    with pytest.raises(SchemaError, match="without id or URI"):
        Scores.decode(made([{}], uri="").encode())
