"""An experiment's steps in child processes, and the journal by which it goes on."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from siftstream.experiment.journal import Journal
from siftstream.experiment.plan import plans
from siftstream.experiment.running import Rules, Run, curves_of, run_all, runs_of, steps_of
from siftstream.schemas.errors import TrainingError
from tests.experiment.made import made

RULES = Rules(start=10, round=10, labels=30, reach=1)
LONG = Rules(start=1, round=1, labels=49, reach=1)
QUICK = (sys.executable, str(Path(__file__).with_name("quick_child.py")))


def margin(labels: int) -> list[Run]:
    return [Run(plans("margin")[0], 0, labels, "key")]


def test_random_goes_on_to_so_many_times_the_labels_and_comes_first() -> None:
    runs = runs_of(plans("margin, random"), 2, Rules(20, 20, 60, 3), "data")
    assert [(run.plan.name, run.seed, run.labels) for run in runs] == [
        ("random", 0, 180),
        ("margin", 0, 60),
        ("random", 1, 180),
        ("margin", 1, 60),
    ]
    assert len({run.key for run in runs}) == 4
    assert [steps_of(run, Rules(20, 20, 60, 3), pool=100) for run in runs[:2]] == [5, 3]


async def test_all_steps_are_taken_heard_and_made_curves(tmp_path: Path) -> None:
    runs = runs_of(plans("random, margin"), 2, RULES, "data")
    heard: list[tuple[str, int, int]] = []
    found = await run_all(
        tmp_path,
        runs,
        RULES,
        2,
        Journal(tmp_path / "journal"),
        lambda run, labels, _: heard.append((run.plan.name, run.seed, labels)),
        QUICK,
    )
    curves = curves_of(found)
    assert curves["margin"].counts_P.tolist() == [10, 20, 30]
    assert curves["margin"].accuracies_SP.tolist() == [[0.1, 0.2, 0.3]] * 2
    assert sorted(heard) == [
        (name, seed, labels) for name in ("margin", "random") for seed in (0, 1) for labels in (10, 20, 30)
    ]


async def test_it_goes_on_after_the_last_whole_line_of_the_journal(tmp_path: Path) -> None:
    path, nobody = tmp_path / "journal", ("no-such-command",)
    found = await run_all(tmp_path, margin(30), RULES, 1, Journal(path), lambda *_: None, QUICK)
    lines = path.read_text().splitlines(keepends=True)
    assert await run_all(tmp_path, margin(30), RULES, 1, Journal(path), lambda *_: None, nobody) == found
    path.write_text("".join(lines[:2]) + lines[2][:5])  # cut off by a kill
    assert await run_all(tmp_path, margin(30), RULES, 1, Journal(path), lambda *_: None, QUICK) == found
    assert await run_all(tmp_path, margin(30), RULES, 1, Journal(path), lambda *_: None, nobody) == found
    path.write_text("".join([*lines[:2], *lines[3:]]))  # a step is missing: what comes after is no use
    assert await run_all(tmp_path, margin(30), RULES, 1, Journal(path), lambda *_: None, QUICK) == found


async def test_more_labels_go_on_from_the_old_end(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    await run_all(tmp_path, margin(20), RULES, 1, Journal(path), lambda *_: None, QUICK)
    before = path.read_text()
    (line,) = (await run_all(tmp_path, margin(40), RULES, 1, Journal(path), lambda *_: None, QUICK)).values()
    assert [labels for labels, _ in line] == [10, 20, 30, 40]
    assert path.read_text().startswith(before)


async def test_a_training_that_fails_ends_the_experiment_with_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="margin, seed 0, 50 labels: too many labels"):
        await run_all(tmp_path, margin(90), RULES, 1, Journal(tmp_path / "journal"), lambda *_: None, QUICK)


async def test_cancelling_ends_the_children_and_keeps_what_was_done(tmp_path: Path) -> None:
    journal, first = Journal(tmp_path / "journal"), asyncio.Event()
    running = asyncio.create_task(
        run_all(tmp_path, margin(49), LONG, 1, journal, lambda *_: first.set(), QUICK)
    )
    await asyncio.wait_for(first.wait(), 30)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [done.accuracy for done in journal.read()["key"][:2]] == [None, 0.01]


async def test_a_killed_child_is_told_in_a_sentence(tmp_path: Path) -> None:
    def kill(*_: object) -> None:
        for pid in children():
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(TrainingError, match="ended with code -9"):
        await run_all(tmp_path, margin(49), LONG, 1, Journal(tmp_path / "journal"), kill, QUICK)


def children() -> list[int]:
    """The quick children of this process."""
    found = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", "quick_child"], capture_output=True, check=False
    )
    return [int(pid) for pid in found.stdout.split()]


def test_a_child_ends_when_its_parent_does(tmp_path: Path) -> None:
    made().write(tmp_path)
    command = [sys.executable, "-m", "siftstream.experiment.child", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.close()  # the only other end of its lifeline
        assert child.wait(60) == 0


def test_the_command_itself_never_imports_torch() -> None:
    rooms = "siftstream.cli.experiment, siftstream.experiment.preparing, siftstream.experiment.running"
    code = f"import sys, {rooms}, siftstream.experiment.result; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
