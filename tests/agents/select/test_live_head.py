"""Select follows the line: a version that comes back is taken up at once; runs say what they know of L."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from siftstream.agents.select.heads import LiveHead
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.settings import SPARE, ModelSettings
from siftstream.schemas import Artifact, ModelVersion
from siftstream.streams.record import Record
from siftstream.streams.settings import KafkaSettings, PipelineSettings


class Case:
    """A live head, and its line's versions as they come."""

    def __init__(self, folder: Path) -> None:
        app: Any = SimpleNamespace(
            kafka=KafkaSettings(), pipeline=PipelineSettings(), close_at_stop=lambda _: None
        )
        self.store = ArtifactStore.open(str(folder))
        self.live: Any = LiveHead(app, ModelSettings(artifacts=str(folder)), SPARE, ("a", "b"))
        self.heard = asyncio.Event()
        self.live._heard = self.heard.set
        self.offset = 0

    def publish(self, name: str, **facts: Any) -> None:
        head = Head(np.full((1, 2, 2), len(name), np.float32), np.zeros((1, 2), np.float32))
        said: dict[str, Any] = {
            "line": "main", "version": name, "classes": ("a", "b"), "status": "live",
            "encoder": Artifact(uri="file:///e", sha256="0" * 64, size=1),
            "head": self.store.put(head.to_bytes(), ".safetensors"),
        }  # fmt: skip
        version = ModelVersion.model_validate(said | facts)
        self.live._versions._fold(Record("models", 0, self.offset, version.key, version.encode()))
        self.offset += 1
        self.live._versions._tell()

    async def loaded(self, name: str) -> None:
        async with asyncio.timeout(5.0):
            while self.live.head is None or self.live.head[0] != name:
                self.heard.clear()
                await self.heard.wait()


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


async def test_a_version_that_is_rolled_back_to_is_taken_up_and_told_of_at_once(case: Case) -> None:
    for name in ("v1", "v2", "v1"):
        case.publish(name)
        await case.loaded(name)
    assert case.live.version == "v1"


async def test_runs_that_are_over_cover_labels_whatever_became_of_them(case: Case) -> None:
    assert (case.live.covered(0), case.live.ever_trained) == (0, False)
    case.publish("v1", status="failed", encoder=None, head=None, upto=(7, 3))
    case.publish("v2", status="rejected", upto=(5, 9))
    assert [case.live.covered(p) for p in (0, 1, 2)] == [7, 9, 0]
    assert case.live.ever_trained
    case.publish("v3", upto=(20, 20))
    assert case.live.covered(0) == 0  # its head is on its way: windows have still the old scores
    await case.loaded("v3")
    assert case.live.covered(0) == 20
