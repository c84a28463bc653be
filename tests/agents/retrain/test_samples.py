"""Inputs of labelled samples: from disk where they were made before, mapped where they are many."""

from pathlib import Path

import numpy as np
import pytest

from siftstream.agents.fetch.loaders.cache import Cache
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms import make_transform
from siftstream.agents.retrain.samples import Samples
from siftstream.models.training import Job
from siftstream.models.training.settings import TrainSettings
from siftstream.schemas import Slice
from tests.agents.retrain.parts import IMAGES, gone, labels


def samples(folder: Path, limit: int = 1 << 24, **image: object) -> Samples:
    transform = make_transform(IMAGES.model_copy(update=image))
    return Samples(FetchSettings(attempts=1), transform, folder, limit=limit)


async def test_inputs_come_in_the_order_of_their_uris(tmp_path: Path):
    uris = list(labels(tmp_path / "images", 300, held=0).uris)  # more than are looked for in one go
    read, inputs = await samples(tmp_path / "kept").of(uris)
    back = await samples(tmp_path / "kept").of(uris[::-1])
    assert read.all()
    assert inputs["image"].shape == (300, 1, 8, 8)
    assert (inputs["image"] == back[1]["image"][::-1]).all()


async def test_what_was_made_once_is_not_read_again(tmp_path: Path):
    uris = list(labels(tmp_path / "images", 5, held=0).uris)
    _, first = await samples(tmp_path / "kept").of(uris)
    for uri in uris:
        gone(uri)
    read, again = await samples(tmp_path / "kept").of(uris)
    assert read.all()
    assert (first["image"] == again["image"]).all()
    assert not (await samples(tmp_path / "kept", height=9).of(uris))[0].any()  # made otherwise
    assert not (await samples(tmp_path / "other").of(uris))[0].any()


async def test_keys_are_others_where_the_transform_is(tmp_path: Path):
    here, there = samples(tmp_path).keys(["a", "b"]), samples(tmp_path, height=9).keys(["a", "b"])
    assert len({*here, *there}) == 4
    assert all(len(key) == 16 for key in here)
    assert samples(tmp_path).keys(["b"]) == here[1:]


async def test_samples_in_a_folder_are_mapped_and_a_job_takes_them_as_they_lie(tmp_path: Path):
    pool = labels(tmp_path / "images", 6, held=0)
    gone(pool.uris[2])
    _, wanted = await samples(tmp_path, 0).of(pool.uris)
    read, inputs = await samples(tmp_path, 0).of(pool.uris, tmp_path / "job")
    assert read.tolist() == [True, True, False, True, True, True]
    assert isinstance(inputs["image"], np.memmap)
    before = (tmp_path / "job" / "inputs-0.npy").stat()
    job = Job(
        inputs, pool.classes_N[read], np.ones(5, np.float32), (Slice.TRAIN,) * 5, ("up", "across"),
        TrainSettings(mode="head"), b"onnx",
    )  # fmt: skip
    job.write(tmp_path / "job")
    after = (tmp_path / "job" / "inputs-0.npy").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert (Job.read(tmp_path / "job").inputs["image"] == wanted["image"]).all()


async def test_nothing_readable_is_no_input_at_all(tmp_path: Path):
    read, inputs = await samples(tmp_path).of(["file:///nowhere/a.png"], tmp_path / "job")
    assert read.tolist() == [False]
    assert inputs["image"].shape == (0, 1, 8, 8)
    read, inputs = await samples(tmp_path).of([], tmp_path / "job")
    assert len(read) == len(inputs["image"]) == 0


async def test_what_cannot_be_read_is_told_once_without_its_secrets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    good = labels(tmp_path / "images", 1, held=0).uris[0]
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = (tmp_path / "bad.png").as_uri()
    read, _ = await samples(tmp_path / "kept").of([bad, good, "s3+x://ann:secret@host/a?token=secret"])
    assert read.tolist() == [False, True, False]
    (record,) = caplog.records
    assert record.getMessage().startswith("2 of 3 labelled samples cannot be read")
    assert "bad.png" in record.getMessage()
    assert "secret" not in caplog.text


async def test_what_is_kept_stays_within_its_bytes(tmp_path: Path):
    uris = list(labels(tmp_path / "images", 40, held=0).uris)
    kept = samples(tmp_path / "kept", limit=64 << 10)
    assert (await kept.of(uris))[0].all()
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) <= 96 << 10


async def test_a_spoilt_copy_is_made_again(tmp_path: Path):
    uris = list(labels(tmp_path / "images", 1, held=0).uris)
    made = samples(tmp_path / "kept")
    name = made._name(uris[0])  # pyright: ignore[reportPrivateUsage]
    Cache(tmp_path / "kept", 1 << 24).put(name, b"no tensors", "")
    read, inputs = await made.of(uris)
    assert read.all()
    assert inputs["image"].max() == 250
