"""http: against a real server on loopback that delays, drops, lies and redirects."""

import asyncio
import socket
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_address
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from siftstream.agents.fetch.loaders.addresses import GuardedResolver, is_public, literal_address
from siftstream.agents.fetch.loaders.base import Loaded
from siftstream.agents.fetch.loaders.http import HttpLoader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError, UnavailableError
from tests.agents.fetch.servers import BODY, DATE, SECRET, Wanted, Web, web_server

Load = Callable[..., Awaitable[bytes]]
Open = Callable[..., HttpLoader]


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with web_server() as running:
        yield running


def opened(**settings: Any) -> HttpLoader:
    settings = {"allow_private_addresses": ["127.0.0.1"], "max_bytes": 100_000, **settings}
    return HttpLoader(FetchSettings.model_validate(settings))


@pytest.fixture
def load(web: Web) -> Load:
    async def loads(uri: str, **settings: Any) -> bytes:
        async with opened(**settings) as loader:
            loaded = await loader.load(uri if uri.startswith("http") else web.uri(uri), Wanted())
            assert loaded is not None
            return loaded.data

    return loads


async def test_an_object_is_loaded(load: Load) -> None:
    assert await load("ok") == BODY


async def test_a_signed_url_is_sent_as_it_was_written(load: Load, web: Web) -> None:
    assert b'"/echo/a%7Eb%2Fc?X-Sig=a%2Bb%7E&z"' in await load("echo/a%7Eb%2Fc?X-Sig=a%2Bb%7E&z")
    assert b"%C3%A9%20x" in await load("echo/é x")
    assert b"Basic YW5uOnB3" in await load(f"http://ann:pw@127.0.0.1:{web.server.port}/echo/")


async def test_loads_one_after_another_share_a_connection(web: Web) -> None:
    async with opened() as loader:
        for page in ("ok", "status/404", "ok", "tagged"):
            try:
                await loader.load(web.uri(page), Wanted())
            except LoadError:
                pass
    assert len(web.requests) == 4
    assert len(web.peers) == 1


async def test_a_connection_that_the_server_closed_while_idle_is_replaced(web: Web) -> None:
    async with opened() as loader:
        await loader.load(web.uri("ok"), Wanted())
        for request in web.requests:
            assert request.protocol is not None
            request.protocol.force_close()
        assert await loader.load(web.uri("ok"), Wanted()) == Loaded(BODY)


@pytest.mark.parametrize(
    ("page", "validator"), [("tagged", 'etag:"one"'), ("dated", f"date:{DATE}"), ("ok", "")]
)
async def test_what_the_server_says_of_this_version_comes_along(web: Web, page: str, validator: str) -> None:
    async with opened() as loader:
        assert await loader.load(web.uri(page), Wanted()) == Loaded(BODY, validator)


@pytest.mark.parametrize(("page", "known"), [("tagged", 'etag:"one"'), ("dated", f"date:{DATE}")])
async def test_a_copy_that_still_holds_is_not_sent_again(web: Web, page: str, known: str) -> None:
    async with opened() as loader:
        assert await loader.load(web.uri(page), Wanted(known)) is None
        newer = await loader.load(web.uri(page), Wanted(known.replace("one", "two").replace("2026", "2025")))
        assert newer is not None
        assert newer.data == BODY


@pytest.mark.parametrize("code", [204, 206, 400, 401, 403, 404, 410, 501, 304, 799])
async def test_a_final_status_is_a_load_error(load: Load, code: int) -> None:
    with pytest.raises(LoadError, match=f"HTTP {code}"):
        await load(f"status/{code}")


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
async def test_a_passing_status_may_be_tried_again(load: Load, code: int) -> None:
    with pytest.raises(UnavailableError, match=f"HTTP {code}") as caught:
        await load(f"status/{code}")
    assert caught.value.retry_after is None


async def test_a_server_that_failed_twice_then_answers(web: Web) -> None:
    async with opened() as loader:
        for _ in range(2):
            with pytest.raises(UnavailableError, match="HTTP 500"):
                await loader.load(web.uri("flaky/2"), Wanted())
        assert await loader.load(web.uri("flaky/2"), Wanted()) == Loaded(BODY)


@pytest.mark.parametrize(
    ("query", "low", "high"),
    [("after=7", 7, 7), ("after=0", 0, 0), ("in=90", 85, 91), ("in=-90", 0, 0)],
)
async def test_the_wait_that_a_server_asks_for_is_passed_on(
    load: Load, query: str, low: float, high: float
) -> None:
    with pytest.raises(UnavailableError, match="HTTP 429") as caught:
        await load(f"limited?{query}")
    assert caught.value.retry_after is not None
    assert low <= caught.value.retry_after <= high


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "", "99999999999", "Thu, 99 Jan 2026 00:00:00 GMT"])
async def test_a_wait_that_is_none_is_left_out(load: Load, value: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        await load(f"limited?after={value}")
    assert caught.value.retry_after is None


async def test_silence_in_the_body_ends_after_the_chunk_timeout(load: Load) -> None:
    with pytest.raises(UnavailableError, match=r"nothing came for 0\.1 s"):
        await load("stall", chunk_timeout=0.1)


async def test_silence_instead_of_an_answer_ends_after_the_chunk_timeout(load: Load) -> None:
    with pytest.raises(UnavailableError, match=r"nothing came for 0\.1 s"):
        await load("delayed", chunk_timeout=0.1)


@pytest.mark.parametrize("page", ["drop", "hang_up"])
async def test_a_body_cut_short_is_no_body(load: Load, page: str) -> None:
    with pytest.raises(UnavailableError, match="broke off"):
        await load(page)


@pytest.mark.parametrize("page", ["endless", "claims", "squeezed", "bomb"])
async def test_a_body_too_large_is_refused_whatever_its_length_says(load: Load, page: str) -> None:
    with pytest.raises(RefusedError, match=r"larger than fetch\.max_bytes"):
        await load(page)


async def test_more_bytes_than_announced_never_answer_the_next_request(web: Web) -> None:
    async with opened() as loader:
        assert await loader.load(web.uri("understates"), Wanted()) == Loaded(BODY[:10])
        for _ in range(3):
            assert await loader.load(web.uri("ok"), Wanted()) == Loaded(BODY)


async def test_a_bomb_never_inflates_beyond_the_limit_in_memory(web: Web) -> None:
    limit = 4_000_000
    async with opened(max_bytes=limit) as loader:
        await loader.load(web.uri("ok"), Wanted())
        tracemalloc.start()
        try:
            with pytest.raises(RefusedError, match="larger"):
                await loader.load(web.uri("bomb"), Wanted())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < limit + 8_000_000  # the server's own side is in this process too


async def test_gzip_is_undone_and_what_nobody_reads_is_said(load: Load, web: Web) -> None:
    assert await load("zipped") == BODY
    assert "gzip" in web.requests[0].headers["Accept-Encoding"]
    with pytest.raises(LoadError, match="content encoding 'compress' is not one of gzip"):
        await load("encoded/compress")
    with pytest.raises(UnavailableError, match="broke off"):
        await load("encoded/gzip")


@pytest.mark.parametrize("page", ["ok", "zipped", "squeezed"])
async def test_memory_is_asked_for_before_bytes_are_held(web: Web, page: str) -> None:
    want = Wanted()
    async with opened(max_bytes=2_000_000) as loader:
        loaded = await loader.load(web.uri(page), want)
    assert loaded is not None
    assert len(loaded.data) <= sum(want.asked) <= max(len(loaded.data) + 300_000, len(BODY))
    if page == "ok":
        assert want.asked == [len(BODY)]


async def test_a_load_waits_while_there_is_no_room_and_ends_when_it_is_cancelled(web: Web) -> None:
    class Full(Wanted):
        def __init__(self) -> None:
            super().__init__()
            self.reached = asyncio.Event()

        async def room_for(self, size: int) -> None:
            self.reached.set()
            await asyncio.Event().wait()

    want = Full()
    async with opened() as loader:
        task = asyncio.create_task(loader.load(web.uri("ok"), want))
        async with asyncio.timeout(5):
            await want.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await loader.load(web.uri("ok"), Wanted()) == Loaded(BODY)


async def test_redirects_are_followed_and_counted(load: Load) -> None:
    assert await load("around/4") == BODY
    with pytest.raises(RefusedError, match="more redirects"):
        await load("around/5")
    with pytest.raises(LoadError, match="HTTP 302"):
        await load("around/0", max_redirects=0)


@pytest.mark.parametrize(
    "to",
    [
        "http://localhost:{port}/ok",
        "http://[::1]:{port}/ok",
        "http://127.0.0.2:{port}/ok",
        "http://2130706433:{port}/ok",
        "http://127.1:{port}/ok",
        "http://0x7f000001:{port}/ok",
        "http://[::ffff:127.0.0.1]:{port}/ok",
        "http://0.0.0.0:{port}/ok",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
    ],
)
async def test_a_redirect_to_an_address_inside_is_refused(load: Load, web: Web, to: str) -> None:
    target = to.format(port=web.server.port)
    with pytest.raises(RefusedError, match=r"allow_private_addresses|written in full"):
        await load(f"redirect?to={target}")
    with pytest.raises(RefusedError):
        await load(target)


async def test_a_host_allowed_by_name_is_reached(load: Load, web: Web) -> None:
    uri = f"http://LOCALHOST:{web.server.port}/ok"
    assert await load(uri, allow_private_addresses=["Localhost"]) == BODY
    with pytest.raises(RefusedError, match="127"):
        await load("ok", allow_private_addresses=["localhost"])


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "//"])
async def test_a_redirect_out_of_the_web_is_refused(load: Load, to: str) -> None:
    with pytest.raises(LoadError):
        await load(f"redirect?to={to}")


async def test_a_redirect_to_a_scheme_that_is_not_allowed_is_refused(web: Web) -> None:
    settings = FetchSettings(schemes=("https",), allow_private_addresses=("127.0.0.1",))
    async with HttpLoader(settings) as loader:
        with pytest.raises(RefusedError, match=r"http: not a scheme of fetch\.schemes"):
            await loader.load(web.uri("ok"), Wanted())


async def test_a_closed_port_and_an_unknown_host(load: Load) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(UnavailableError, match="no connection"):
            await load(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    with pytest.raises((LoadError, UnavailableError), match="cannot be resolved"):
        await load("http://no-such-host.invalid/")


@pytest.mark.parametrize("uri", ["http://", "http:///x", "http://a:b:c/", "http://[::1/", "http://h:99999/"])
async def test_what_is_no_url_is_a_load_error(load: Load, uri: str) -> None:
    with pytest.raises(LoadError, match=r"URL|resolved|full"):
        await load(uri)


@pytest.mark.parametrize(
    "page", ["status/404", "status/500", "drop", "endless", "redirect?to=http://10.0.0.1/?k=%s", "stall"]
)
async def test_no_error_nor_its_traceback_shows_credentials(load: Load, web: Web, page: str) -> None:
    page = page.replace("%s", SECRET)
    mark = "&" if "?" in page else "?"
    uri = f"http://ann:{SECRET}@127.0.0.1:{web.server.port}/{page}{mark}sig={SECRET}"
    with pytest.raises((LoadError, UnavailableError)) as caught:
        await load(uri, chunk_timeout=0.1)
    # the lines of this test's own frames are source text, not values
    shown = "".join(traceback.format_exception_only(caught.value)) + "".join(
        traceback.format_exception(caught.value)
    )
    assert SECRET not in shown


class Rebinding(AbstractResolver):
    """Answers with a public address first and with loopback from then on."""

    def __init__(self) -> None:
        self.answers = iter(["93.184.215.14", "127.0.0.1"])

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = next(self.answers)
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        return


async def test_every_answer_of_a_name_server_is_checked_anew() -> None:
    resolver = GuardedResolver(frozenset(), Rebinding())
    assert (await resolver.resolve("evil.example", 80))[0]["host"] == "93.184.215.14"
    with pytest.raises(RefusedError, match=r"evil\.example"):
        await resolver.resolve("evil.example", 80)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00:ec2::254", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("ff02::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


def test_a_name_is_no_literal_address() -> None:
    assert literal_address("host.example.") is None
    assert literal_address("3com.example") is None
    assert literal_address("fe80::1%eth0") == ip_address("fe80::1")
