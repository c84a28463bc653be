"""A window of Monte-Carlo dropout scores: members are passes, and no head alone can make them again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from siftstream.agents.select.heads import LiveHead
from siftstream.agents.select.window.window import Window
from siftstream.models.head import Head
from siftstream.schemas import ModelVersion, Scores


def scores(name: str, version: str, members: int) -> Scores:
    probs = np.random.default_rng(members).dirichlet(np.ones(3), size=(1, members)).astype(np.float32)
    return Scores(
        [name], [f"file:///{name}"], np.zeros(1), [{}], probs, np.ones((1, 4), np.float16),
        model_version=version, encoder="e" * 64,
    )  # fmt: skip


def live_head(version: str, passes: int, history: list[str]) -> Any:
    """The newest head as `LiveHead` holds it, without Kafka."""
    heads: Any = LiveHead.__new__(LiveHead)
    artifact = {"uri": "file:///e", "sha256": "e" * 64, "size": 1}
    told = ModelVersion.model_validate(
        {"line": "main", "version": version, "classes": ["a", "b", "c"], "status": "live", "passes": passes,
         "encoder": artifact, "head": artifact}
    )  # fmt: skip
    heads._head = (told, Head.uniform(1, 4, 3))
    heads._untrained, heads._versions = "spare", SimpleNamespace(history=history)
    return heads


@pytest.mark.parametrize(("passes", "rescored"), [(1, True), (6, False)])
def test_rows_keep_their_passes_where_the_new_head_has_passes_too(passes: int, rescored: bool) -> None:
    window = Window(4)
    window.append(0, scores("a", "v1", members=6))
    before = window.probs.copy()
    live_head("v2", passes, ["v1", "v2"]).rescore(window)
    assert (window.version_of(0) == "v2") is rescored
    assert window.probs.shape == ((4, 1, 3) if rescored else (4, 6, 3))
    assert rescored or (window.probs == before).all()


def test_a_window_goes_on_when_passes_follow_single_runs() -> None:
    window = Window(4)
    window.append(0, scores("a", "v1", members=1))
    window.append(1, scores("b", "v2", members=6))
    assert window.probs.shape == (4, 6, 3)
    np.testing.assert_allclose(window.probs[0], np.repeat(window.probs[0, :1], 6, axis=0))
    assert window.probs[1].std(axis=0).max() > 0.01
    np.testing.assert_allclose(window.probs[:2].sum(axis=2), 1.0, atol=1e-5)
