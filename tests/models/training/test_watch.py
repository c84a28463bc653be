"""What a running child is held to, and how long it still takes: by a clock that the test turns."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from siftstream.models.training import child
from siftstream.models.training.pace import Pace
from siftstream.models.training.settings import LimitSettings
from siftstream.models.training.watch import Watch
from siftstream.schemas import Progress
from siftstream.schemas.errors import TrainingError


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def watch(clock: Clock, told: list[Progress], **limits: float) -> Watch:
    return Watch(LimitSettings(**limits), os.getpid(), told.append, clock)  # pyright: ignore[reportArgumentType]


def test_every_sign_of_life_puts_the_end_off(clock: Clock) -> None:
    ours = watch(clock, [], stall=10, timeout=1000)
    for _ in range(5):
        clock.now += 9
        ours.look()
        ours.hear(Progress(phase="export"))
    clock.now += 10.5
    with pytest.raises(TrainingError, match=r"no sign of life for 10 s in phase 'export'"):
        ours.look()


def test_a_child_that_says_nothing_at_all_hangs_at_its_begin(clock: Clock) -> None:
    ours = watch(clock, [], stall=10)
    clock.now += 10.5
    with pytest.raises(TrainingError, match="no sign of life for 10 s at its begin"):
        ours.look()


def test_signs_of_life_do_not_put_off_the_deadline(clock: Clock) -> None:
    ours = watch(clock, [], stall=10, timeout=12)
    for _ in range(2):
        clock.now += 6
        ours.look()
        ours.hear(Progress(phase="fit"))
    clock.now += 0.5
    with pytest.raises(TrainingError, match="not done after 12 s"):
        ours.look()


def test_who_listens_hears_how_long_it_still_takes(clock: Clock) -> None:
    told: list[Progress] = []
    ours = watch(clock, told)
    for step in range(0, 41, 10):
        ours.hear(Progress(phase="fit", step=step, steps=100, loss=0.5))
        clock.now += 2.0
    assert [progress.remaining for progress in told] == [None, 18.0, 16.0, 14.0, 12.0]
    assert told[-1] == Progress(phase="fit", step=40, steps=100, loss=0.5, remaining=12.0)


def test_each_phase_has_a_pace_of_its_own(clock: Clock) -> None:
    pace = Pace(clock)
    pace(Progress(phase="embed", step=0, steps=10))
    clock.now += 5
    assert pace(Progress(phase="embed", step=5, steps=10)).remaining == 5.0
    assert pace(Progress(phase="fit", step=0, steps=300)).remaining is None
    clock.now += 1.0
    assert pace(Progress(phase="fit", step=100, steps=300)).remaining == 2.0
    assert pace(Progress(phase="fit", step=10, steps=300)).remaining is None  # the next head's fit
    clock.now += 1.0
    assert pace(Progress(phase="fit", step=160, steps=300)).remaining == pytest.approx(0.9)


def test_epochs_give_the_pace_where_steps_are_not_counted(clock: Clock) -> None:
    pace = Pace(clock)
    pace(Progress(phase="fit", epoch=1, epochs=10))
    clock.now += 8
    assert pace(Progress(phase="fit", epoch=5, epochs=10)).remaining == 10.0
    assert pace(Progress(phase="fit", epoch=6, epochs=10, remaining=1.5)).remaining == 1.5


def test_a_phase_is_told_of_at_its_begin_and_end_and_else_now_and_then(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    said: list[tuple[str, int]] = []
    monkeypatch.setattr(child.time, "monotonic", clock)
    tell = child.telling(lambda line: said.append((line["phase"], line.get("step", 0))))
    tell(Progress(phase="read"))
    for step in range(1001):
        clock.now += 0.001
        tell(Progress(phase="fit", step=step, steps=1000))
    tell(Progress(phase="calibrate"))
    assert said[:2] == [("read", 0), ("fit", 0)]
    assert said[-2:] == [("fit", 1000), ("calibrate", 0)]
    assert 10 <= len(said) <= 15


def test_only_progress_reaches_the_childs_stdout() -> None:
    code = (
        "import os; from siftstream.models.training.child import take_stdout\n"
        "speak = take_stdout(); print('noise', flush=True); os.system('echo more'); speak({'phase': 'fit'})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == '{"phase": "fit"}\n'
    assert done.stderr == "noise\nmore\n"
