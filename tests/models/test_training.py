"""A training run in its child: it learns from the training slice alone, and ends however it must."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from siftstream.models.cnn import spare_cnn
from siftstream.models.encoder import Encoder
from siftstream.models.head import Head
from siftstream.models.settings import TrainSettings
from siftstream.models.training import ENCODER, HEAD, Job, Report, Trainer, train
from siftstream.schemas import Slice
from siftstream.schemas.errors import TrainingError

SHAPE = (1, 8, 8)
CLASSES = ("up", "across")
FAST = TrainSettings(epochs=5, min_steps=40, dim=8, calibrate_from=10)


def bars(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images of one bar, upright (0) or across (1)."""
    rng = np.random.default_rng(seed)
    inputs = rng.integers(0, 60, (count, *SHAPE)).astype(np.uint8)
    targets = rng.integers(0, 2, count)
    for image, target in zip(inputs, targets, strict=True):
        place = rng.integers(1, 7)
        image[(0, slice(None), place) if target == 0 else (0, place, slice(None))] = 250
    return inputs, targets.astype(np.int64)


def job(settings: TrainSettings = FAST, count: int = 60, held: int = 20, frozen: bytes | None = None) -> Job:
    inputs, targets = bars(count + held)
    slices = (Slice.TRAIN,) * count + (Slice.HOLDOUT, Slice.AUDIT) * (held // 2)
    weights = np.ones(len(inputs), np.float32)
    return Job({"image": inputs}, targets, weights, slices, CLASSES, settings, frozen)


LEAVES = "import pathlib; folder = pathlib.Path(input()); (folder / 'report.json').write_text('%s')"


def child(code: str) -> tuple[str, ...]:
    """A child that does as it is told instead of training."""
    return (sys.executable, "-c", code)


def accuracy(folder: Path, encoder: bytes | None = None) -> float:
    inputs, targets = bars(200, seed=9)
    made = Encoder(encoder or (folder / ENCODER).read_bytes(), providers=("cpu",))
    probs = Head.from_bytes((folder / HEAD).read_bytes()).probs(made.embed(inputs))
    return float((probs.mean(axis=1).argmax(axis=1) == targets).mean())


async def test_full_training_learns_and_its_onnx_equals_torch(tmp_path: Path) -> None:
    job().write(tmp_path)
    told: list[dict[str, object]] = []
    report = await train(tmp_path, 60, told.append)
    assert accuracy(tmp_path) > 0.95
    assert (report.trained_on, report.held_out, report.temperature_from) == (60, 20, "holdout")
    assert 0.0 < report.onnx_difference < 1e-3
    assert told[-1]["step"] == told[-1]["steps"] == report.steps


def test_the_parent_of_a_training_run_never_imports_torch() -> None:
    code = "import siftstream.app, siftstream.agents.retrain.course, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_frozen_encoder_gets_a_committee_of_heads_and_a_spare_child_is_reused(tmp_path: Path) -> None:
    settings = FAST.model_copy(update={"mode": "head", "members": 3, "calibrate_from": 30})
    frozen = spare_cnn(SHAPE)
    job(settings, held=0, frozen=frozen).write(tmp_path)
    async with Trainer() as trainer:
        await trainer.warm()
        report = await trainer.train(tmp_path, 60)
    assert report.temperature_from == "folds"
    head = Head.from_bytes((tmp_path / HEAD).read_bytes())
    assert head.members == 3
    assert not np.allclose(head.weights_MDC[0], head.weights_MDC[1])
    assert accuracy(tmp_path, frozen) > 0.8
    assert not (tmp_path / ENCODER).exists()


def test_held_out_samples_change_nothing_but_the_temperature(tmp_path: Path) -> None:
    ours = job()
    inputs, targets = ours.inputs["image"].copy(), ours.targets.copy()
    held = ours.where(Slice.HOLDOUT, Slice.AUDIT)
    inputs[held], targets[held] = 0, 1 - targets[held]
    folders = [tmp_path / "ours", tmp_path / "other"]
    ours.write(folders[0])
    replace(ours, inputs={"image": inputs}, targets=targets).write(folders[1])
    code = (
        "import sys, pathlib; from siftstream.models.training.run_job import run_job\n"
        "for folder in sys.argv[1:]: run_job(pathlib.Path(folder), print)"
    )
    subprocess.run([sys.executable, "-c", code, *folders], check=True, stdout=subprocess.DEVNULL)
    assert (folders[0] / ENCODER).read_bytes() == (folders[1] / ENCODER).read_bytes()
    heads = [Head.from_bytes((folder / HEAD).read_bytes()) for folder in folders]
    assert (heads[0].weights_MDC == heads[1].weights_MDC).all()
    assert heads[0].temperature != heads[1].temperature


HANGS = "import os, time; print('{\"pid\": %d}' % os.getpid(), flush=True); time.sleep(60)"


async def test_a_child_that_hangs_is_killed_at_the_deadline(tmp_path: Path) -> None:
    told: list[dict[str, int]] = []
    began = time.monotonic()
    async with Trainer(prewarm=False, command=child(HANGS)) as trainer:
        with pytest.raises(TrainingError, match="not done after 2 s and stopped; raise retrain"):
            await trainer.train(tmp_path, 2, told.append)
    assert time.monotonic() - began < 10
    with pytest.raises(ProcessLookupError):
        os.kill(told[0]["pid"], 0)


async def test_a_cancelled_run_takes_its_child_along(tmp_path: Path) -> None:
    told: asyncio.Queue[dict[str, int]] = asyncio.Queue()
    async with Trainer(prewarm=False, command=child(HANGS)) as trainer:
        run = asyncio.create_task(trainer.train(tmp_path, 60, told.put_nowait))
        pid = (await told.get())["pid"]
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_what_the_child_refuses_is_told_in_its_own_words(tmp_path: Path) -> None:
    refuses = child(LEAVES % '{"error": "the loss is not finite"}' + "; raise SystemExit(1)")
    async with Trainer(prewarm=False, command=refuses) as trainer:
        with pytest.raises(TrainingError, match=r"^training: the loss is not finite$"):
            await trainer.train(tmp_path, 30)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit('the disk is full')", "ended with code 1 and left no report: the disk is full"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", r"killed \(out of memory\?\)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV"),
        ("pass", "ended with code 0 and left no report: it said nothing"),
    ],
)
async def test_a_child_that_crashes_gives_its_reason(tmp_path: Path, code: str, reason: str) -> None:
    async with Trainer(prewarm=False, command=child(code)) as trainer:
        with pytest.raises(TrainingError, match=reason):
            await trainer.train(tmp_path, 30)


async def test_a_spare_child_that_died_is_replaced(tmp_path: Path) -> None:
    async with Trainer(command=child(LEAVES % '{"steps": 7}')) as trainer:
        await trainer.warm()
        os.kill(trainer._spare._process.pid, signal.SIGKILL)  # pyright: ignore
        await asyncio.sleep(0.2)
        assert await trainer.train(tmp_path, 30) == Report(steps=7)


async def test_a_report_of_an_earlier_run_is_not_taken_for_this_one(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    async with Trainer(prewarm=False, command=child("pass")) as trainer:
        with pytest.raises(TrainingError, match="left no report"):
            await trainer.train(tmp_path, 30)


async def test_a_child_whose_parent_is_gone_leaves_at_once(tmp_path: Path) -> None:
    slow = FAST.model_copy(update={"min_steps": 20_000})
    job(slow).write(tmp_path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "siftstream.models.training.child", str(tmp_path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 30) == 3
