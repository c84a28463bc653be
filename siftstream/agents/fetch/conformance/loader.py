"""The rules for loaders, each a coroutine that raises AssertionError with a sentence."""

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from siftstream.agents.fetch.conformance.rule import must
from siftstream.agents.fetch.loaders.base import Loaded, Loader, LocalLoader, scheme_of
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError, SiftError

AT_ONCE: Final = 16
ENDS_WITHIN_S: Final = 5.0  # a thread that was told to end needs a moment
SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
OTHER_VERSION: Final = '"no version that any server ever gave"'
MakeLoader = Callable[[FetchSettings], Loader]


@dataclass(frozen=True)
class Case:
    """A loader, and URIs whose end is known."""

    make: MakeLoader
    works: str
    content: bytes
    missing: str
    secrets: Sequence[str]
    settings: FetchSettings

    def limited(self, size: int) -> Loader:
        """Return a loader of objects up to this size."""
        return self.make(self.settings.model_copy(update={"max_bytes": size}))


@dataclass
class Asked:
    """A `Want` that always has room, and counts."""

    known: str = ""
    size: int = field(default=0, init=False)

    async def room_for(self, size: int) -> None:
        """Count."""
        self.size += size


async def check_loader(
    make_loader: MakeLoader,
    *,
    works: str,
    content: bytes,
    missing: str,
    secrets: Sequence[str] = (),
    settings: FetchSettings | None = None,
) -> None:
    """Hold a loader to every rule.

    Args:
        make_loader: makes it from settings; its class, mostly.
        works: a URI behind which `content` lies, of two bytes at least.
        missing: a URI behind which nothing lies; best with a password or a signature in it.
        secrets: what of these URIs no message may hold.
        settings: what it needs, such as `allow_private_addresses`; `max_bytes` is set by the rules.

    Raises:
        AssertionError: the rule that it breaks, and how.
    """
    must(len(content) >= 2, "check_loader needs a content of at least two bytes")
    case = Case(make_loader, works, content, missing, secrets, settings or FetchSettings())
    for rule in LOADER_RULES:
        await rule(case)


async def schemes_are_declared(case: Case) -> None:
    """`schemes` names what the loader takes, in lower case."""
    loader = case.make(case.settings)
    schemes = loader.schemes
    fine = isinstance(schemes, tuple) and all(SCHEME.fullmatch(scheme) for scheme in schemes)
    must(fine and bool(schemes), f"schemes is no tuple of URI schemes in lower case: {schemes!r}")
    must(scheme_of(case.works) in schemes, f"{scheme_of(case.works)!r} is not among its schemes {schemes}")
    must(isinstance(loader.settings, FetchSettings), "settings are not the FetchSettings it was made with")


async def an_object_is_loaded_whole(case: Case) -> None:
    """The content comes back as bytes, also at exactly `max_bytes`, and room was asked for."""
    async with case.limited(len(case.content)) as loader:
        want = Asked()
        loaded = await loader.load(case.works, want)
        _check_content(case, loaded, "the content")
        must(
            want.size >= len(case.content), f"room for {want.size} bytes was asked, {len(case.content)} came"
        )


async def many_at_once_get_the_same(case: Case) -> None:
    """Sixteen loads at once each get the content; a local one also from threads."""
    async with case.make(case.settings) as loader:
        loads = (loader.load(case.works, Asked()) for _ in range(AT_ONCE))
        for loaded in await asyncio.gather(*loads):
            _check_content(case, loaded, f"one of {AT_ONCE} loads at once")
        if isinstance(loader, LocalLoader):
            reads = (asyncio.to_thread(loader.read, case.works) for _ in range(AT_ONCE))
            same = all(data == case.content for data in await asyncio.gather(*reads))
            must(same, "`read` in threads gives other bytes")


async def what_is_missing_is_a_load_error(case: Case) -> None:
    """A missing object is a LoadError in redacted words, and does no harm to the next load."""
    async with case.make(case.settings) as loader:
        error = await _error(loader.load(case.missing, Asked()), "a missing object")
        must(isinstance(error, LoadError), f"a missing object: {type(error).__name__}, LoadError expected")
        _check_words(case, case.missing, error)
        _check_content(case, await loader.load(case.works, Asked()), "a load after an error")
        if isinstance(loader, LocalLoader):
            again = await _error(asyncio.to_thread(loader.read, case.missing), "`read` of a missing object")
            must(type(again) is type(error), f"`read` of a missing object: {type(again).__name__}")


async def what_is_too_large_is_refused(case: Case) -> None:
    """An object over `max_bytes` is a RefusedError that names the setting."""
    async with case.limited(len(case.content) - 1) as loader:
        error = await _error(loader.load(case.works, Asked()), "an object over max_bytes")
        refused = isinstance(error, RefusedError)
        must(refused, f"an object over max_bytes: {type(error).__name__}, RefusedError expected")
        _check_words(case, case.works, error)
        must("max_bytes" in str(error), f"an object over max_bytes: the message names no setting: {error}")


async def validators_hold_or_do_not(case: Case) -> None:
    """With the validator it gave, a loader may answer None; with another, or none, never."""
    async with case.make(case.settings) as loader:
        loaded = await loader.load(case.works, Asked())
        _check_content(case, loaded, "a load without a validator")
        if loaded is not None and loaded.validator:
            again = await loader.load(case.works, Asked(loaded.validator))
            must(again is None or again.data == case.content, "its own validator: other bytes")
        _check_content(case, await loader.load(case.works, Asked(OTHER_VERSION)), "a strange validator")


async def nothing_is_left_behind(case: Case) -> None:
    """After `close` no task and no thread is left, also after a load that was cancelled."""
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    async with case.make(case.settings) as loader:
        await loader.load(case.works, Asked())
        cancelled = asyncio.create_task(_ignored(loader, case.works))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        _check_content(case, await loader.load(case.works, Asked()), "a load after a cancelled one")
    async with case.make(case.settings):
        pass  # never used
    deadline = time.monotonic() + ENDS_WITHIN_S
    left = _left(tasks, threads)
    while left and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
        left = _left(tasks, threads)
    must(not left, f"left behind after close: {', '.join(left)}")


async def _ignored(loader: Loader, uri: str) -> None:
    await loader.load(uri, Asked())


def _left(tasks: set[asyncio.Task[object]], threads: set[threading.Thread]) -> list[str]:
    """Name what is new; the threads of `asyncio.to_thread` are the loop's."""
    left = [task.get_name() for task in asyncio.all_tasks() - tasks]
    new = set(threading.enumerate()) - threads
    return left + [thread.name for thread in new if not thread.name.startswith("asyncio_")]


def _check_content(case: Case, loaded: Loaded | None, of: str) -> None:
    must(isinstance(loaded, Loaded), f"{of}: {type(loaded).__name__}, Loaded expected")
    assert loaded is not None
    must(type(loaded.data) is bytes, f"{of}: {type(loaded.data).__name__}, bytes expected")
    must(loaded.data == case.content, f"{of}: other bytes than the object's")
    must(isinstance(loaded.validator, str), f"{of}: the validator is no text")


async def _error(load: Awaitable[object], of: str) -> SiftError:
    try:
        await load
    except SiftError as error:
        return error
    except Exception as error:
        raise AssertionError(f"{of}: {type(error).__name__} escaped, an error of ours expected") from error
    raise AssertionError(f"{of}: loaded, an error expected")


def _check_words(case: Case, uri: str, error: SiftError) -> None:
    words = str(error)
    must(words.startswith(redact(uri)), f"an error begins with redact(uri), {redact(uri)!r}, not {words!r}")
    must("\n" not in words, f"an error is one line, not {words!r}")
    for number, secret in enumerate(case.secrets):
        must(secret not in words and secret not in repr(error.__cause__), f"an error tells secret {number}")


LOADER_RULES: Final[tuple[Callable[[Case], Awaitable[None]], ...]] = (
    schemes_are_declared,
    an_object_is_loaded_whole,
    many_at_once_get_the_same,
    what_is_missing_is_a_load_error,
    what_is_too_large_is_refused,
    validators_hold_or_do_not,
    nothing_is_left_behind,
)
