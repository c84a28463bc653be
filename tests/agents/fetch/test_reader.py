"""The reader around the loaders: allowed schemes, retries, the deadline, and places."""

import asyncio
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from siftstream.agents.fetch.loaders import Loader, Reader, loader_schemes, make_loaders, registry
from siftstream.agents.fetch.loaders.base import Loaded, Want
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import ConfigError, LoadError, RefusedError, UnavailableError

QUICK = FetchSettings(schemes=("test",), backoff=0.0, backoff_max=0.0)


class Scripted(Loader):
    """Raises what it is given, one a call, then answers; holds every answer until `gate` is set."""

    schemes: ClassVar[tuple[str, ...]] = ("test",)

    def __init__(self, settings: FetchSettings, *errors: Exception) -> None:
        super().__init__(settings)
        self.errors = list(errors)
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[str] = []
        self.now = self.most = 0
        self.open = False

    async def start(self) -> None:
        self.open = True

    async def close(self) -> None:
        self.open = False

    async def load(self, uri: str, want: Want) -> Loaded | None:
        self.calls.append(uri)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.gate.wait()
            if self.errors:
                raise self.errors.pop(0)
            return Loaded(uri.encode())
        finally:
            self.now -= 1


async def read(uri: str, *errors: Exception, settings: FetchSettings = QUICK) -> tuple[bytes, int]:
    loader = Scripted(settings, *errors)
    async with Reader(settings, loaders={"test": loader}) as reader:
        return await reader.read(uri), len(loader.calls)


async def settle(loader: Scripted, calls: int) -> None:
    async with asyncio.timeout(5):
        while len(loader.calls) < calls:
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_passing_failure_is_tried_again() -> None:
    assert await read("test://h/a", UnavailableError("x"), UnavailableError("x")) == (b"test://h/a", 3)


async def test_the_last_attempt_says_that_it_was_the_last() -> None:
    with pytest.raises(LoadError, match=r"^503; gave up after 4 attempts$"):
        await read("test://h/a", *[UnavailableError("503")] * 4)
    with pytest.raises(LoadError, match=r"^503; gave up after 1 attempt$"):
        await read(
            "test://h/a", UnavailableError("503"), settings=FetchSettings(schemes=("test",), attempts=1)
        )


@pytest.mark.parametrize("error", [LoadError("404"), RefusedError("too large"), ConfigError("wrong")])
async def test_a_lasting_failure_is_not_tried_again(error: Exception) -> None:
    loader = Scripted(QUICK, error)
    async with Reader(QUICK, loaders={"test": loader}) as reader:
        with pytest.raises(type(error)):
            await reader.read("test://h/a")
    assert len(loader.calls) == 1


async def test_the_deadline_holds_for_all_attempts_together() -> None:
    settings = FetchSettings(schemes=("test",), timeout=0.05, backoff=10, backoff_max=10)
    with pytest.raises(LoadError, match=r"test://h/a\?…: not loaded within 0\.05 s"):
        await read("test://h/a?sig=1", UnavailableError("x"), settings=settings)


async def test_a_scheme_that_is_not_allowed_is_refused_without_its_secrets() -> None:
    with pytest.raises(RefusedError, match=r"scheme 'ftp' is not in fetch\.schemes \(test\)") as caught:
        await read("ftp://ann:pw@h/a")
    assert "pw" not in str(caught.value)


async def test_loaders_are_open_while_the_reader_is() -> None:
    loader = Scripted(QUICK)
    async with Reader(QUICK, loaders={"test": loader, "best": loader}):
        assert loader.open
    assert not loader.open


async def test_loads_in_flight_are_bounded_in_all_and_by_host() -> None:
    settings = FetchSettings(schemes=("test",), in_flight=5, per_host=2)
    loader = Scripted(settings)
    loader.gate.clear()
    async with Reader(settings, loaders={"test": loader}) as reader, asyncio.TaskGroup() as group:
        for n in range(6):
            group.create_task(reader.read(f"test://slow/{n}"))
        await settle(loader, 2)
        assert loader.now == 2
        for n in range(6):
            group.create_task(reader.read(f"test://host{n}/a"))
        await settle(loader, 5)
        assert loader.now == 5
        loader.gate.set()
    assert loader.most == 5
    assert len(loader.calls) == 12


async def test_waiting_for_a_place_does_not_use_up_the_deadline() -> None:
    settings = FetchSettings(schemes=("test",), per_host=1, timeout=0.3)
    loader = Scripted(settings)

    async def load_slowly(uri: str, want: Want) -> Loaded:
        await asyncio.sleep(0.12)
        return Loaded(uri.encode())

    loader.load = load_slowly  # type: ignore[method-assign]
    async with Reader(settings, loaders={"test": loader}) as reader:
        assert len(await asyncio.gather(*(reader.read(f"test://h/{n}") for n in range(4)))) == 4


async def test_http_500_then_ok_is_read_through_the_real_loader() -> None:
    answers = [500, 503, 200]

    async def flaky(request: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0), body=b"here")

    app = web.Application()
    app.router.add_get("/", flaky)
    settings = FetchSettings(allow_private_addresses=("127.0.0.1",), backoff=0.0, backoff_max=0.0)
    async with TestServer(app, shutdown_timeout=0) as server, Reader(settings) as reader:
        assert await reader.read(str(server.make_url("/"))) == b"here"
        assert await reader.read("data:,x") == b"x"


def test_each_allowed_scheme_has_a_loader_and_one_class_one_loader() -> None:
    loaders = make_loaders(FetchSettings())
    assert set(loaders) == {"file", "http", "https", "data", "s3"}
    assert loaders["http"] is loaders["https"]
    with pytest.raises(ConfigError, match="'gopher' has no loader; known: file, http"):
        make_loaders(FetchSettings(schemes=("gopher",)))


def test_a_plug_in_brings_its_scheme_and_a_broken_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint(name, "somewhere:Thing", registry.GROUP) for name in ("test", "wrong", "gone", "file")
    ]
    things: dict[str, object] = {"test": Scripted, "wrong": print}
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    monkeypatch.setattr(EntryPoint, "load", lambda self: things[self.name])
    assert loader_schemes()[-3:] == ["gone", "test", "wrong"]
    loaders = make_loaders(FetchSettings(schemes=("test", "file")))
    assert isinstance(loaders["test"], Scripted)
    assert not isinstance(loaders["file"], Scripted)
    for scheme, words in (("wrong", "is no subclass"), ("gone", "does not load")):
        with pytest.raises(ConfigError, match=words):
            make_loaders(FetchSettings(schemes=(scheme,)))


def test_every_setting_says_what_it_is() -> None:
    for name, field in FetchSettings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
