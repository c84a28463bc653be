"""Whether the newest live version is deployed or refused, or still on its way."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from siftstream.agents.infer.live import LiveModel
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.settings import SPARE, ModelSettings
from siftstream.models.spare import spare_encoder
from siftstream.schemas import Artifact, ModelInput, ModelVersion, VersionStatus
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import ModelError
from siftstream.streams.settings import KafkaSettings, PipelineSettings


class Told:
    """The versions of the line, as the test has them."""

    live: ModelVersion | None = None
    before: ModelVersion | None = None

    async def catch_up(self) -> None:
        """All is read."""


@pytest.fixture
def live(tmp_path: Path) -> Any:
    app: Any = SimpleNamespace(
        kafka=KafkaSettings(), pipeline=PipelineSettings(), close_at_stop=lambda _: None
    )
    specs = {"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}
    made: Any = LiveModel(app, ModelSettings(artifacts=str(tmp_path)), ("no", "yes"), specs)
    made._versions = Told()
    return made


def version(name: str) -> ModelVersion:
    gone = Artifact(uri="file:///nowhere/gone.onnx", sha256="0" * 64, size=1)
    return ModelVersion(
        line="main", version=name, status=VersionStatus.LIVE, classes=("no", "yes"), encoder=gone, head=gone
    )


async def test_without_a_live_version_nothing_is_on_its_way(live: Any) -> None:
    assert await live.settled(0.0)


async def test_a_live_version_is_waited_for_until_it_is_deployed_or_refused(live: Any) -> None:
    live._versions.live = version("v1")
    assert not await live.settled(0.01)
    waiting = asyncio.create_task(live.settled(10.0))
    await live._swap(live._versions.live)
    assert await waiting
    assert live.model.version == SPARE  # it was refused
    live._versions.live = version("v2")
    assert not await live.settled(0.01)


async def test_where_the_live_version_is_refused_at_a_start_the_one_before_it_runs(
    live: Any, tmp_path: Path
) -> None:
    store = ArtifactStore.open(str(tmp_path))
    specs = {"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}
    onnx, head = spare_encoder(specs, 0, 8), Head.uniform(1, 8, 2).to_bytes()
    files = {"encoder": store.put(onnx, ".onnx"), "head": store.put(head, ".safetensors")}
    good = version("v1").model_copy(update=files)
    live._versions.live, live._versions.before = version("v2"), good
    await live._swap(live._versions.live)
    assert live.model.version == "v1"
    assert await live.settled(0.0)
    live._versions.live, live._versions.before = version("v3"), version("v2")
    await live._swap(live._versions.live)
    assert live.model.version == "v1"  # what runs stays


async def test_a_version_whose_files_read_other_inputs_than_it_says_is_refused(
    live: Any, tmp_path: Path
) -> None:
    store = ArtifactStore.open(str(tmp_path))
    specs = {"image": ArraySpec((1, 8, 8), np.dtype(np.uint8))}
    head = Head.uniform(1, 8, 2).to_bytes()
    told = version("v1").model_copy(
        update={
            "encoder": store.put(spare_encoder(specs, 0, 8), ".onnx"),
            "head": store.put(head, ".safetensors"),
            "inputs": {"image": ModelInput(shape=(3, 8, 8), dtype="uint8")},
        }
    )
    with pytest.raises(ModelError, match="the version says image uint8 3x8x8"):
        live._load(told)
    with pytest.raises(ModelError, match="deleted by the retention rule"):
        live._load(told.model_copy(update={"collected": True}))
