"""The newest head: refused where it does not fit, waited for where the store is away; the old one stays."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from siftstream.agents.select import heads
from siftstream.agents.select.heads import LiveHead
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.settings import SPARE, ModelSettings
from siftstream.schemas import ModelVersion, VersionStatus
from siftstream.schemas.errors import UnavailableError
from siftstream.streams.settings import KafkaSettings, PipelineSettings


@pytest.fixture
def live(tmp_path: Path) -> Any:
    app: Any = SimpleNamespace(
        kafka=KafkaSettings(), pipeline=PipelineSettings(), close_at_stop=lambda _: None
    )
    made: Any = LiveHead(app, ModelSettings(artifacts=str(tmp_path)), SPARE, ("no", "yes"))
    made._versions = SimpleNamespace(live=None, all={}, history=[])
    return made


def version(store: str, name: str, known: int = 2, **more: Any) -> ModelVersion:
    head = Head.uniform(1, 4 + len(name), known).to_bytes()
    artifact = ArtifactStore.open(store).put(head, ".safetensors")
    facts = {"classes": ("no", "yes"), "encoder": artifact, "head": artifact} | more
    return ModelVersion(line="main", version=name, status=VersionStatus.LIVE, **facts)


async def gone_live(live: Any, version: ModelVersion) -> str:
    live._versions.live = version
    await live._load(version)
    return live.head[0] if live.head else ""


async def test_a_head_that_does_not_fit_is_refused_and_the_old_one_stays(
    live: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    at = str(tmp_path)
    assert await gone_live(live, version(at, "v1")) == "v1"
    others = {
        "v2": version(at, "v2", known=3),
        "v3": version(at, "v3", classes=("yes", "no")),
        "v4": version(at, "v4", collected=True),
        "v5": version(at, "v5 of another size"),
    }
    cut = others["v5"].head
    assert cut is not None
    (tmp_path / f"{cut.sha256}.safetensors").write_bytes(b"cut short")
    for other in others.values():
        assert await gone_live(live, other) == "v1"
    refused = [row.getMessage() for row in caplog.records if row.levelname == "ERROR"]
    assert len(refused) == 4
    for said, words in zip(
        refused, ("knows 3 classes", "of the classes yes, no", "were deleted", "cut short"), strict=True
    ):
        assert words in said
        assert "the head of v1 stays" in said


async def test_a_store_that_is_away_is_asked_again(
    live: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "AGAIN_S", 0.0)
    newer, get, tries = version(str(tmp_path), "v1"), live._store.get, list[int]()

    def away_twice(artifact: Any) -> bytes:
        tries.append(1)
        if len(tries) < 3:
            raise UnavailableError("the store is away")
        return get(artifact)

    live._store.get = away_twice
    assert await gone_live(live, newer) == "v1"
    assert len(tries) == 3


async def test_a_version_that_is_replaced_while_the_store_is_away_is_asked_for_no_longer(
    live: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "AGAIN_S", 0.0)
    first, second = version(str(tmp_path), "v1"), version(str(tmp_path), "second")
    get: Callable[[Any], bytes] = live._store.get

    def away(artifact: Any) -> bytes:
        live._versions.live = second
        if artifact == first.head:
            raise UnavailableError("the store is away")
        return get(artifact)

    live._store.get = away
    live._versions.live = first
    await asyncio.wait_for(live._load(first), 10)
    assert live.head is None
    assert await gone_live(live, second) == "second"


async def test_a_head_that_cannot_score_a_window_leaves_it_as_it_is(live: Any, tmp_path: Path) -> None:
    assert await gone_live(live, version(str(tmp_path), "v1")) == "v1"
    live._versions.history = ["v1"]
    emb_BD = np.ones((1, 99), np.float32)
    window: Any = SimpleNamespace(
        rescored_to="", rescore=lambda _name, _encoder, head, _older: head.probs(emb_BD)
    )
    live.rescore(window)
    assert window.rescored_to == "v1"  # once a version, not at every round
