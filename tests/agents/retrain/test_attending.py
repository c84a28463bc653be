"""A run under way: heard of while it lasts, and gone when it is stopped."""

import asyncio
import threading

import pytest

from siftstream.agents.retrain.attending import Telling, attended
from siftstream.schemas import ModelVersion, Progress, RunState, TrainingRun, VersionStatus
from siftstream.schemas.errors import UnavailableError

RUN = TrainingRun(line="main", version="r-0001", trainer="r", upto=(3,))
VERSION = ModelVersion(line="main", version="r-0001", classes=("a",), status=VersionStatus.FAILED)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def never() -> str:
    await for_ever()
    return ""


async def test_a_course_that_ends_gives_its_version() -> None:
    async def course() -> ModelVersion:
        return VERSION

    assert await attended(course(), for_ever(), never()) == VERSION


async def test_a_course_that_is_stopped_has_cleared_up_before_the_reason_is_told() -> None:
    cleared: list[str] = []

    async def course() -> ModelVersion:
        try:
            await for_ever()
        finally:
            await asyncio.sleep(0)
            cleared.append("child and folder")
        return VERSION

    async def stop() -> str:
        return "asked for"

    assert await attended(course(), for_ever(), stop()) == "asked for"
    assert cleared == ["child and folder"]


async def test_what_telling_raises_ends_the_trainer() -> None:
    async def course() -> ModelVersion:
        await for_ever()
        return VERSION

    async def telling() -> None:
        raise UnavailableError("no broker")

    with pytest.raises(UnavailableError, match="no broker"):
        await attended(course(), telling(), never())


async def test_progress_from_a_thread_is_told_and_silence_is_filled_with_the_last_word() -> None:
    words: list[TrainingRun] = []
    thrice = asyncio.Event()

    async def tell(run: TrainingRun) -> None:
        words.append(run)
        if len(words) == 1:
            thread = threading.Thread(target=telling.told, args=(Progress(phase="fit"),))
            thread.start()
            thread.join()
        if len(words) == 3:
            thrice.set()

    telling = Telling(RUN, tell, lease=0.04)
    beating = asyncio.ensure_future(telling.keep_on())
    async with asyncio.timeout(20):
        await thrice.wait()
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert {word.state for word in words} == {RunState.RUNNING}
    assert [word.progress and word.progress.phase for word in words[:3]] == [None, "fit", "fit"]
    assert {(word.version, word.upto, word.claimed_at) for word in words} == {
        ("r-0001", (3,), RUN.claimed_at)
    }
