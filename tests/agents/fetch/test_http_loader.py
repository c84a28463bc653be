"""http: against a real server on loopback that delays, drops, lies and redirects."""

import asyncio
import gzip
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_address
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from siftstream.agents.fetch.loaders.addresses import GuardedResolver, is_public, literal_address
from siftstream.agents.fetch.loaders.http import HttpLoader
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError, UnavailableError

SECRET = "s3cr3tT0ken"
BODY = b"0123456789" * 100
Load = Callable[..., Awaitable[bytes]]


async def ok(request: web.Request) -> web.Response:
    return web.Response(body=BODY)


async def echo(request: web.Request) -> web.Response:
    return web.json_response({"raw": request.raw_path, "auth": request.headers.get("Authorization")})


async def status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["code"]), text=SECRET)


async def redirect(request: web.Request) -> web.Response:
    raise web.HTTPFound(request.query["to"])


async def around(request: web.Request) -> web.Response:
    left = int(request.match_info["left"])
    raise web.HTTPFound(f"/around/{left - 1}" if left else "/ok")


async def stall(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"x")
    await asyncio.Event().wait()
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"x" * 65536)
    except ConnectionError:
        return response


async def drop(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"x" * 500)
    assert request.transport is not None
    request.transport.close()
    return response


async def claims(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "999999999999"})
    await response.prepare(request)
    await response.write(b"x")
    return response


async def squeezed(request: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(b"\0" * 1_000_000), headers={"Content-Encoding": "gzip"})


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app.add_routes(
        [web.get(f"/{f.__name__}", f) for f in (ok, redirect, stall, endless, drop, claims, squeezed)]
    )
    app.add_routes([web.get("/echo/{tail:.*}", echo), web.get("/status/{code}", status)])
    app.add_routes([web.get("/around/{left}", around)])
    async with TestServer(app, shutdown_timeout=0) as running:
        yield running


@pytest.fixture
def load(server: TestServer) -> Load:
    async def loads(uri: str, **settings: Any) -> bytes:
        settings = {"allow_private_addresses": ["127.0.0.1"], "max_bytes": 100_000, **settings}
        async with HttpLoader(FetchSettings.model_validate(settings)) as loader:
            return await loader.load(uri if uri.startswith("http") else str(server.make_url("/")) + uri)

    return loads


async def test_an_object_is_loaded(load: Load) -> None:
    assert await load("ok") == BODY


async def test_a_signed_url_is_sent_as_it_was_written(load: Load, server: TestServer) -> None:
    assert b'"/echo/a%7Eb%2Fc?X-Sig=a%2Bb%7E&z"' in await load("echo/a%7Eb%2Fc?X-Sig=a%2Bb%7E&z")
    assert b"%C3%A9%20x" in await load("echo/é x")
    assert b"Basic YW5uOnB3" in await load(f"http://ann:pw@127.0.0.1:{server.port}/echo/")


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501, 304, 799])
async def test_a_final_status_is_a_load_error(load: Load, code: int) -> None:
    with pytest.raises(LoadError, match=f"HTTP {code}"):
        await load(f"status/{code}")


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
async def test_a_passing_status_may_be_tried_again(load: Load, code: int) -> None:
    with pytest.raises(UnavailableError, match=f"HTTP {code}"):
        await load(f"status/{code}")


async def test_silence_in_the_body_ends_after_the_chunk_timeout(load: Load) -> None:
    with pytest.raises(UnavailableError, match=r"nothing came for 0\.1 s"):
        await load("stall", chunk_timeout=0.1)


async def test_a_body_cut_short_is_no_body(load: Load) -> None:
    with pytest.raises(UnavailableError, match="broke off"):
        await load("drop")


@pytest.mark.parametrize("page", ["endless", "claims", "squeezed"])
async def test_a_body_too_large_is_refused_whatever_its_length_says(load: Load, page: str) -> None:
    with pytest.raises(RefusedError, match=r"larger than fetch\.max_bytes"):
        await load(page)


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
async def test_a_redirect_to_an_address_inside_is_refused(load: Load, server: TestServer, to: str) -> None:
    target = to.format(port=server.port)
    with pytest.raises(RefusedError, match=r"allow_private_addresses|written in full"):
        await load(f"redirect?to={target}")
    with pytest.raises(RefusedError):
        await load(target)


async def test_a_host_allowed_by_name_is_reached(load: Load, server: TestServer) -> None:
    uri = f"http://LOCALHOST:{server.port}/ok"
    assert await load(uri, allow_private_addresses=["Localhost"]) == BODY
    with pytest.raises(RefusedError, match="127"):
        await load("ok", allow_private_addresses=["localhost"])


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "//"])
async def test_a_redirect_out_of_the_web_is_refused(load: Load, to: str) -> None:
    with pytest.raises(LoadError):
        await load(f"redirect?to={to}")


async def test_a_redirect_to_a_scheme_that_is_not_allowed_is_refused(server: TestServer) -> None:
    settings = FetchSettings(schemes=("https",), allow_private_addresses=("127.0.0.1",))
    async with HttpLoader(settings) as loader:
        with pytest.raises(RefusedError, match=r"http: not a scheme of fetch\.schemes"):
            await loader.load(str(server.make_url("/ok")))


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
async def test_no_error_nor_its_traceback_shows_credentials(
    load: Load, server: TestServer, page: str
) -> None:
    page = page.replace("%s", SECRET)
    mark = "&" if "?" in page else "?"
    uri = f"http://ann:{SECRET}@127.0.0.1:{server.port}/{page}{mark}sig={SECRET}"
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
