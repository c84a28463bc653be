"""A course: from labels to a judged version, in either mode, whatever happens meanwhile."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from siftstream.agents.retrain.course import Live
from siftstream.models.artifacts import ArtifactStore
from siftstream.models.head import Head
from siftstream.models.lineage import Lineage
from siftstream.models.training import Report, Trainer
from siftstream.models.training.run import Told
from siftstream.models.training.settings import LimitSettings
from siftstream.schemas import ModelVersion, Progress, Slice, VersionStatus
from siftstream.schemas.errors import TrainingError, TrainingKilled, UnavailableError
from tests.agents.retrain.parts import FULL, HEAD, Bench, gone, labels


def is_live(version: ModelVersion | None) -> Live:
    async def live() -> ModelVersion | None:
        return version

    return live


def silent(_: Progress) -> None:
    """Nobody listens."""


def lineage(bench: Bench, version: ModelVersion) -> Lineage:
    assert version.lineage is not None
    return Lineage.from_bytes(ArtifactStore.open(bench.model.artifacts).get(version.lineage))


async def test_the_first_head_stands_on_the_untrained_encoder(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    pool = labels(tmp_path / "images")
    told: list[Progress] = []
    version = await bench.course().run("v1", pool, is_live(None), told.append)
    assert (version.status, version.mode, version.parent) == (VersionStatus.LIVE, "head", None)
    assert (version.trained_on, version.pool_size, version.upto) == (60, 80, (80,))
    assert sum(version.learned_from.values()) == 60
    assert version.metrics["judged"] == 20
    assert {progress.phase for progress in told} >= {"embed", "fit", "judge"}
    assert lineage(bench, version).ids == tuple(pool.ids)
    assert not list((tmp_path / "jobs").iterdir())


async def test_the_next_head_stands_on_the_live_encoder_and_reads_only_what_is_new(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    course = bench.course()
    first = await course.run("v1", labels(tmp_path / "images"), is_live(None), silent)
    bench.samples.read.clear()
    again = await course.run("v2", labels(tmp_path / "images"), is_live(first), silent)
    assert bench.samples.read == []
    assert again.encoder == first.encoder
    assert again.parent == "v1"
    assert again.metrics["accuracy"] == pytest.approx(first.metrics["accuracy"])
    more = labels(tmp_path / "images", 70)
    await course.run("v3", more, is_live(first), silent)
    assert set(bench.samples.read) == set(more.uris) - set(labels(tmp_path / "images").uris)


async def test_no_embedding_is_taken_that_another_transform_led_to(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    pool = labels(tmp_path / "images", 20, held=0)
    first = await bench.course().run("v1", pool, is_live(None), silent)
    bench.samples.read.clear()
    bench.samples._made_by = "another"  # pyright: ignore[reportPrivateUsage]
    await bench.course().run("v2", pool, is_live(first), silent)
    assert len(bench.samples.read) == 20


async def test_full_mode_trains_an_encoder_and_compares_it_with_the_live_one(tmp_path: Path):
    before = Bench(tmp_path, HEAD)
    pool = labels(tmp_path / "images")
    first = await before.course().run("v1", pool, is_live(None), silent)
    bench = Bench(tmp_path, FULL)
    version = await bench.course().run("v2", pool, is_live(first), silent)
    assert version.status is VersionStatus.LIVE, version.reason
    assert version.encoder != first.encoder
    assert version.weights is not None
    assert version.judgement is not None
    assert version.judgement.against == "v1"
    assert bench.samples.read == list(pool.uris)  # once each: v1's embeddings of the held-out are known
    bench.samples.read.clear()
    after = Bench(tmp_path, HEAD)
    third = await after.course().run("v3", pool, is_live(version), silent)
    assert third.encoder == version.encoder
    assert set(after.samples.read) == {pool.uris[row] for row in pool.where(Slice.TRAIN)}


async def test_a_live_version_of_an_unknown_encoder_is_judged_by_its_own_embeddings(tmp_path: Path):
    pool = labels(tmp_path / "images")
    elsewhere = Bench(tmp_path / "elsewhere", {**FULL, "seed": 1})
    elsewhere.folder.mkdir()
    foreign = await elsewhere.course().run("other", pool, is_live(None), silent)
    bench = Bench(tmp_path, FULL)
    version = await bench.course().run("v1", pool, is_live(foreign), silent)
    assert version.judgement is not None
    assert version.judgement.against == "other"
    theirs = version.judgement.find("accuracy")
    assert theirs is not None
    assert theirs.live == pytest.approx(foreign.metrics["accuracy"])
    held = [pool.uris[row] for row in pool.where(Slice.HOLDOUT, Slice.AUDIT)]
    assert bench.samples.read == [*pool.uris, *held]


async def test_a_held_out_sample_that_is_gone_is_left_out_of_the_comparison(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    pool = labels(tmp_path / "images")
    first = await bench.course().run("v1", pool, is_live(None), silent)
    elsewhere = Bench(tmp_path / "elsewhere", FULL)
    elsewhere.folder.mkdir()
    foreign = await elsewhere.course().run("other", pool, is_live(None), silent)
    gone(pool.uris[70])
    asked = iter([first])

    async def live() -> ModelVersion | None:
        return next(asked, foreign)  # another encoder's goes live while this trains

    version = await bench.course().run("v2", pool, live, silent)
    assert version.judgement is not None
    assert (version.judgement.against, version.judgement.judged) == ("other", 19)


async def test_what_counts_is_who_is_live_at_the_verdict(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    pool = labels(tmp_path / "images")
    first = await bench.course().run("v1", pool, is_live(None), silent)
    second = first.model_copy(update={"version": "v2"})
    asked = iter([first, first, second])

    async def live() -> ModelVersion | None:
        return next(asked, second)

    version = await bench.course().run("v3", pool, live, silent)
    assert version.parent == "v1"
    assert version.judgement is not None
    assert version.judgement.against == "v2"


async def test_samples_that_cannot_be_read_are_left_out_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    bench = Bench(tmp_path, HEAD)
    pool = labels(tmp_path / "images")
    for row in (3, 4, 65):
        gone(pool.uris[row])
    version = await bench.course().run("v1", pool, is_live(None), silent)
    assert version.trained_on == 58
    assert version.pool_size == 80
    assert len(lineage(bench, version).ids) == 77
    told = [record.getMessage() for record in caplog.records if "cannot be read" in record.getMessage()]
    assert len(told) == 1
    assert told[0].startswith("3 of 80 labelled samples cannot be read and are left out; the first, file://")


class Failing(Trainer):
    """A child that always ends so."""

    def __init__(self, error: Exception) -> None:
        super().__init__(prewarm=False)
        self.error = error

    async def train(self, job_dir: Path, limits: LimitSettings, told: Told | None = None) -> Report:
        """End."""
        raise self.error


async def test_a_failure_is_a_version_that_says_why(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    failing = bench.course(trainer=Failing(TrainingError("training: the loss is not finite")))
    version = await failing.run("v1", labels(tmp_path / "images", 20, held=0), is_live(None), silent)
    assert (version.status, version.reason) == (VersionStatus.FAILED, "training: the loss is not finite")
    assert version.encoder is None
    assert not list((tmp_path / "jobs").iterdir())


async def test_a_failure_of_a_killed_child_says_that_the_same_labels_may_do_another_time(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    pool = labels(tmp_path / "images", 20, held=0)
    for error in (TrainingKilled("training: the child was killed"), TrainingError("training: it hangs")):
        version = await bench.course(trainer=Failing(error)).run("v1", pool, is_live(None), silent)
        assert version.status is VersionStatus.FAILED
        assert version.killed is isinstance(error, TrainingKilled)


async def test_a_disk_that_is_full_is_a_version_that_says_why(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    failing = bench.course(trainer=Failing(OSError(28, "No space left on device")))
    version = await failing.run("v1", labels(tmp_path / "images", 20, held=0), is_live(None), silent)
    assert version.status is VersionStatus.FAILED
    assert "No space left on device" in version.reason


async def test_what_is_away_for_now_is_no_failure(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    away = bench.course(trainer=Failing(UnavailableError("the store is away")))
    with pytest.raises(UnavailableError):
        await away.run("v1", labels(tmp_path / "images", 20, held=0), is_live(None), silent)


async def test_without_a_training_label_there_is_nothing_to_learn(tmp_path: Path):
    bench = Bench(tmp_path, HEAD)
    version = await bench.course().run("v1", labels(tmp_path / "images", 0), is_live(None), silent)
    assert version.status is VersionStatus.FAILED
    assert "no label in the training slice" in version.reason


async def test_a_real_child_learns_the_same_head(tmp_path: Path):
    pool = labels(tmp_path / "images", 40, held=0)
    bench = Bench(tmp_path, {**HEAD, "limits": {"prewarm": False}})
    here = await bench.course().run("v1", pool, is_live(None), silent)
    child = Trainer(prewarm=False)
    course = bench.course(trainer=child)
    await course.begin()
    version = await course.run("v2", pool, is_live(None), silent)
    await course.close()
    assert version.status is VersionStatus.LIVE, version.reason
    store = ArtifactStore.open(bench.model.artifacts)
    assert version.head is not None
    assert here.head is not None
    heads = [Head.from_bytes(store.get(head)) for head in (version.head, here.head)]
    assert np.allclose(heads[0].weights_MDC, heads[1].weights_MDC, atol=1e-4)


async def test_a_stopped_course_leaves_no_folder_behind(tmp_path: Path):
    class Waiting(Failing):
        async def train(self, job_dir: Path, limits: LimitSettings, told: Told | None = None) -> Report:
            started.set()
            await asyncio.Event().wait()
            raise self.error

    started = asyncio.Event()
    course = Bench(tmp_path, HEAD).course(trainer=Waiting(TrainingError("never")))
    pool = labels(tmp_path / "images", 20, held=0)
    run = asyncio.create_task(course.run("v1", pool, is_live(None), silent))
    await asyncio.wait_for(started.wait(), 10)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not list((tmp_path / "jobs").iterdir())
