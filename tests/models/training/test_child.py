"""The trainer's child ends however it must: killed, hung, stopped, too big, forking, printing, orphaned."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from siftstream.models.training import Report, Trainer
from siftstream.models.training import run as running
from siftstream.models.training.settings import LimitSettings
from siftstream.schemas import Progress
from siftstream.schemas.errors import TrainingError, TrainingKilled

LIMITS = LimitSettings(timeout=30)
BEGINS = "import os, pathlib, time\nfolder = pathlib.Path(input())\n"
"""It waits for its job, as the real child does."""
LEAVES = "(folder / 'report.json').write_text('%s')\n"
TELLS = 'print(\'{"phase": "fit", "step": %d}\' % os.getpid(), flush=True)\n'
"""It says its process id as the step of a phase."""
BACK = "from siftstream.models.training.bounds import stand_back; stand_back()\n"
HANGS = TELLS + "time.sleep(60)\n"
HANGS_ONCE = f"if not (folder / 'again').exists():\n    {TELLS}    time.sleep(60)\n" + LEAVES % '{"steps": 7}'
STOPS = TELLS + "import signal; os.kill(os.getpid(), signal.SIGSTOP)"
HANGS_IN_C = TELLS + "import ctypes; ctypes.PyDLL(None).sleep(60)\n"  # a PyDLL keeps the interpreter's lock


def child(code: str) -> tuple[str, ...]:
    """A child that does as it is told instead of training; without site-packages, so it starts at once."""
    return (sys.executable, "-I", "-S", "-c", BEGINS + code)


def trainer(code: str, *, prewarm: bool = False) -> Trainer:
    return Trainer(prewarm=prewarm, command=child(code))


def wait_until_gone(pid: int, seconds: float = 10) -> None:
    """Return as soon as a process has ended, whoever's child it is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], seconds)[0], f"process {pid} still runs after {seconds:g} s"
    finally:
        os.close(handle)


async def fails(code: str, folder: Path, limits: LimitSettings = LIMITS) -> tuple[TrainingError, int]:
    """Run a child that fails; return why, and its process id as far as it told it."""
    told: list[Progress] = [Progress(phase="none")]
    async with trainer(code) as ours:
        with pytest.raises(TrainingError) as found:
            await ours.train(folder, limits, told.append)
    return found.value, told[-1].step


@pytest.mark.parametrize("hangs", [HANGS, HANGS_IN_C], ids=["in Python", "in C"])
async def test_a_child_without_a_sign_of_life_hangs_and_is_killed(tmp_path: Path, hangs: str) -> None:
    error, pid = await fails(hangs, tmp_path, LimitSettings(timeout=30, stall=1))
    assert str(error).startswith("training: no sign of life for 1 s in phase 'fit': it hangs")
    assert not isinstance(error, TrainingKilled)
    wait_until_gone(pid)


async def test_a_child_that_goes_on_for_too_long_is_killed_at_the_deadline(tmp_path: Path) -> None:
    goes_on = 'while True:\n    print(\'{"phase": "fit"}\', flush=True); time.sleep(0.05)'
    error, _ = await fails(goes_on, tmp_path, LimitSettings(timeout=0.5, stall=10))
    assert str(error).startswith(
        "training: not done after 0.5 s and stopped; raise retrain.train.limits.timeout"
    )


async def test_a_stopped_child_hangs_too(tmp_path: Path) -> None:
    error, pid = await fails(STOPS, tmp_path, LimitSettings(stall=1))
    assert "no sign of life" in str(error)
    wait_until_gone(pid)


async def test_what_a_child_forks_ends_with_it_and_holds_up_nobody(tmp_path: Path) -> None:
    forks = (
        "if pid := os.fork():\n"
        '    print(\'{"phase": "fit", "step": %d}\' % pid, flush=True)\n'
        "else:\n    time.sleep(60)\n"
    )
    told: list[Progress] = []
    async with trainer(forks + LEAVES % '{"steps": 7}') as ours:
        assert await ours.train(tmp_path, LIMITS, told.append) == Report(steps=7)
    wait_until_gone(told[-1].step)


async def test_what_a_child_says_beside_its_progress_is_no_progress(tmp_path: Path) -> None:
    prints = (
        LEAVES % "{}" + "print('hello'); print('{\"phase\": \"fit\"'); print('[1]'); print('x' * 200_000)\n"
    )
    told: list[Progress] = []
    async with trainer(prints + TELLS) as ours:
        assert await ours.train(tmp_path, LIMITS, told.append) == Report()
    assert [progress.phase for progress in told] == ["fit"]


async def test_a_cancelled_run_takes_its_child_along_at_once_and_the_next_one_works(tmp_path: Path) -> None:
    told: asyncio.Queue[Progress] = asyncio.Queue()
    async with trainer(HANGS_ONCE, prewarm=True) as ours:
        run = asyncio.create_task(ours.train(tmp_path, LIMITS, told.put_nowait))
        pid = (await told.get()).step
        (tmp_path / "again").touch()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert await ours.train(tmp_path, LIMITS) == Report(steps=7)


async def test_a_run_that_is_cancelled_twice_leaves_no_child_either(tmp_path: Path) -> None:
    told: asyncio.Queue[Progress] = asyncio.Queue()
    ours = trainer(HANGS)
    run = asyncio.create_task(ours.train(tmp_path, LIMITS, told.put_nowait))
    pid = (await told.get()).step
    run.cancel()
    asyncio.get_running_loop().call_soon(run.cancel)
    with pytest.raises(asyncio.CancelledError):
        await run
    wait_until_gone(pid)
    async with asyncio.timeout(5):  # the reaping goes on without who was cancelled
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)


async def test_what_the_child_refuses_is_told_in_its_own_words(tmp_path: Path) -> None:
    error, _ = await fails(LEAVES % '{"error": "the loss is not finite"}' + "raise SystemExit(1)", tmp_path)
    assert str(error) == "training: the loss is not finite"
    assert not isinstance(error, TrainingKilled)


@pytest.mark.parametrize(
    ("code", "reason", "killed"),
    [
        (
            "raise SystemExit('the disk is full')",
            "the child ended with code 1 and left no report: the disk is full",
            False,
        ),
        ("pass", "the child ended with code 0 and left no report: it said nothing", False),
        ("os.kill(os.getpid(), 9)", "the child was killed by SIGKILL from outside", True),
        ("os.kill(os.getpid(), 15)", "the child was killed by SIGTERM from outside", True),
        ("os.kill(os.getpid(), 11)", "the child died of SIGSEGV: it said nothing", False),
        ("os.abort()", "the child died of SIGABRT: it said nothing", False),
    ],
)
async def test_a_crash_is_told_from_a_kill(tmp_path: Path, code: str, reason: str, killed: bool) -> None:
    error, _ = await fails(code, tmp_path)
    assert str(error) == f"training: {reason}"
    assert isinstance(error, TrainingKilled) is killed


async def test_the_kernels_kill_for_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([3, 4])
    monkeypatch.setattr(running, "killed_for_memory", lambda: next(counts))
    error, _ = await fails("os.kill(os.getpid(), 9)", tmp_path)
    assert "the kernel killed the child" in str(error)
    assert isinstance(error, TrainingKilled)


async def test_a_child_that_uses_too_much_memory_is_stopped(tmp_path: Path) -> None:
    takes = "taken = bytearray(300 << 20); taken[::4096] = taken[::4096]; time.sleep(60)"
    error, _ = await fails(takes, tmp_path, LimitSettings(memory=256 << 20))
    assert "MiB, more than the 256 MiB that retrain.train.limits.memory allows" in str(error)


def test_a_child_that_holds_itself_to_a_limit_fails_where_it_allocates() -> None:
    code = "import os; from siftstream.models.training.bounds import hold, in_use\n"
    code += "hold(in_use(os.getpid()) + (64 << 20), on_gpu=False)\n"
    code += "import numpy\nnumpy.zeros(32 << 20, 'u1')\ntry:\n    numpy.zeros(96 << 20, 'u1')\n"
    code += "except MemoryError:\n    raise SystemExit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9


def test_a_limit_below_what_is_used_already_is_refused() -> None:
    code = "from siftstream.models.training.bounds import hold; hold(1 << 20, on_gpu=False)"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "more than the 1 MiB that retrain.train.limits.memory allows; raise it" in done.stderr


def test_a_child_stands_back_for_the_others() -> None:
    code = BACK + "import os; print(os.nice(0), open('/proc/self/oom_score_adj').read())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(min(19, os.nice(0) + 5)), "1000"]


async def test_niceness_counts_because_the_child_shares_our_session(tmp_path: Path) -> None:
    asks = LEAVES % "{}" + 'print(\'{"phase": "fit", "step": %d}\' % os.getsid(0))'
    told: list[Progress] = []
    async with trainer(asks) as ours:
        await ours.train(tmp_path, LIMITS, told.append)
    assert told[-1].step == os.getsid(0)


async def test_who_hears_progress_and_fails_ends_the_run(tmp_path: Path) -> None:
    def told(_: Progress) -> None:
        raise ValueError("not today")

    async with trainer(HANGS) as ours:
        with pytest.raises(ValueError, match="not today"):
            await ours.train(tmp_path, LIMITS, told)


async def test_a_spare_child_that_died_is_replaced(tmp_path: Path) -> None:
    spares = 'print(\'{"phase": "fit", "step": 1}\', flush=True)\n' + LEAVES % '{"steps": 7}'
    async with trainer(spares, prewarm=True) as ours:
        await ours.warm()
        spare = ours._spare  # pyright: ignore[reportPrivateUsage]
        assert spare is not None
        os.kill(spare.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            await spare._exited.wait()  # pyright: ignore[reportPrivateUsage]
        assert await ours.train(tmp_path, LIMITS) == Report(steps=7)


async def test_a_child_that_cannot_be_started_fails_the_run_alone(tmp_path: Path) -> None:
    async with Trainer(command=("/nowhere/python",)) as ours:
        await ours.warm()
        with pytest.raises(TrainingError, match="cannot be started"):
            await ours.train(tmp_path, LIMITS)


async def test_a_report_of_an_earlier_run_is_not_taken_for_this_one(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    error, _ = await fails("pass", tmp_path)
    assert "left no report" in str(error)


@pytest.mark.parametrize("code", [HANGS, HANGS_IN_C, STOPS], ids=["in Python", "in C", "stopped"])
def test_a_child_whose_parent_is_killed_ends_at_once(tmp_path: Path, code: str) -> None:
    parent = (
        "import asyncio, pathlib, sys\nfrom siftstream.models.training import Trainer\n"
        "from siftstream.models.training.settings import LimitSettings\n"
        "async def main():\n"
        "    trainer = Trainer(prewarm=False, command=(sys.executable, '-c', sys.argv[1]))\n"
        "    told = lambda progress: print(progress.step, flush=True)\n"
        "    await trainer.train(pathlib.Path(sys.argv[2]), LimitSettings(), told)\n"
        "asyncio.run(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, BEGINS + BACK + code, tmp_path], stdout=subprocess.PIPE
    ) as process:  # fmt: skip
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    began = time.monotonic()
    wait_until_gone(pid)
    assert time.monotonic() - began < 5


def test_the_real_child_leaves_when_its_stdin_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "siftstream.models.training.child"],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 3


def test_without_torch_the_run_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from siftstream.models.training.child import main; sys.exit(main([sys.argv[1]]))"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=subprocess.PIPE) as process:
        assert process.wait(30) == 1  # its stdin stays open: the parent lives
    assert "training needs torch: install siftstream[train]" in (tmp_path / "report.json").read_text()


def test_the_parent_of_a_training_run_never_imports_torch() -> None:
    code = "import siftstream.app, siftstream.agents.retrain.course, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
