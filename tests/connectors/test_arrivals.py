"""What appears in a watched folder: whole files only, wherever they come from."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from siftstream.connectors.sources.arrivals import TEMPORARY, FolderPlace
from siftstream.connectors.sources.base import refuse
from siftstream.connectors.sources.patterns import Patterns
from siftstream.connectors.sources.settled import Settling, State


class Clock:
    """A clock that stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path, clock: Clock) -> FolderPlace:
    return FolderPlace(str(tmp_path), Patterns(exclude=TEMPORARY), settle=2.0, clock=clock)


def looked(place: FolderPlace) -> list[str]:
    return [found.uri.rpartition("/")[2] for found in place.look(lambda uri: True, refuse)]


def told(place: FolderPlace, path: Path) -> list[str]:
    return [found.uri.rpartition("/")[2] for found in place.told(str(path), lambda uri: True, refuse)]


def settled(place: FolderPlace) -> list[str]:
    return [found.uri.rpartition("/")[2] for found in place.settled()]


def test_a_file_that_grows_is_whole_only_when_it_has_stood_still() -> None:
    states = {"a": State(1, 1)}
    settling = Settling(2.0, states.get)
    settling.see("a", states["a"], now=0.0)
    for moment in (2.0, 4.0, 6.0):
        states["a"] = State(int(moment), 1)
        assert not list(settling.settled(moment))
    assert list(settling.settled(8.0)) == [("a", State(6, 1))]
    assert not len(settling)


def test_a_file_that_is_written_over_is_not_whole_though_its_size_stays() -> None:
    states = {"a": State(1, 1)}
    settling = Settling(2.0, states.get)
    settling.see("a", states["a"], now=0.0)
    states["a"] = State(1, 2)
    assert not list(settling.settled(2.0))
    assert list(settling.settled(4.0))


def test_a_file_that_is_gone_is_forgotten() -> None:
    settling = Settling(2.0, lambda path: None)
    settling.see("a", State(1, 1), now=0.0)
    assert not list(settling.settled(2.0))
    assert not len(settling)


def test_one_that_does_not_settle_holds_up_no_other() -> None:
    states = {"a": State(1, 1), "b": State(1, 1)}
    settling = Settling(2.0, states.get)
    settling.see("a", states["a"], now=0.0)
    settling.see("b", states["b"], now=1.0)
    states["a"] = State(2, 2)
    assert [path for path, _ in settling.settled(3.0)] == ["b"]


def test_an_old_file_is_whole_at_once_and_a_new_one_waits(
    place: FolderPlace, tmp_path: Path, clock: Clock
) -> None:
    for name, age in (("old", 3600), ("new", 0), ("of-tomorrow", -86_400)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert looked(place) == ["old"]
    assert settled(place) == []
    clock.now += 2.0
    assert sorted(settled(place)) == ["new", "of-tomorrow"]


def test_a_temporary_name_waits_for_its_rename(place: FolderPlace, tmp_path: Path, clock: Clock) -> None:
    for name in ("a.png.part", "b.tmp", ".c.png.x1", "d.png~"):
        (tmp_path / name).write_bytes(b"x")
        assert told(place, tmp_path / name) == []
    assert len(place) == 0
    (tmp_path / "a.png.part").rename(tmp_path / "a.png")
    assert told(place, tmp_path / "a.png") == []
    clock.now += 2.0
    assert settled(place) == ["a.png"]


def test_a_file_below_a_hidden_folder_is_not_told_of(place: FolderPlace, tmp_path: Path) -> None:
    (tmp_path / ".git" / "deep").mkdir(parents=True)
    (tmp_path / ".git" / "deep" / "a").write_bytes(b"x")
    assert told(place, tmp_path / ".git" / "deep" / "a") == []
    assert told(place, tmp_path / ".git" / "deep") == []
    assert len(place) == 0


def test_a_new_folder_is_looked_through_now_and_again_when_it_has_settled(
    place: FolderPlace, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "new" / "deep").mkdir(parents=True)
    (tmp_path / "new" / "deep" / "a").write_bytes(b"x")
    told(place, tmp_path / "new")
    assert len(place) == 1
    (tmp_path / "new" / "deep" / "b").write_bytes(b"x")  # of which the system says nothing
    assert not list(place.look_again(lambda uri: True, refuse))
    assert len(place) == 1
    clock.now += 2.0
    assert not list(place.look_again(lambda uri: True, refuse))
    assert len(place) == 2


def test_what_is_not_fresh_is_not_looked_at(place: FolderPlace, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert not list(place.look(lambda uri: False, refuse))
    assert len(place) == 0
