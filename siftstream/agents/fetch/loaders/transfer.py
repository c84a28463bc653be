"""One HTTP answer to bytes: its validator, its bounded body, and its failures in our words."""

import re
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from aiohttp.compression_utils import HAS_BROTLI, HAS_ZSTD

from siftstream.agents.fetch.loaders.base import Want
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.schemas.errors import LoadError, RefusedError, UnavailableError

TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
STEP: Final = 1 << 16
ENCODINGS: Final = ("gzip", *(("br",) if HAS_BROTLI else ()), *(("zstd",) if HAS_ZSTD else ()))
_SECONDS = re.compile(r"[0-9]{1,9}")


def validator_of(headers: Mapping[str, str]) -> str:
    """Return the ETag, else Last-Modified, marked so that they can be told apart; empty without either.

    >>> validator_of({"ETag": '"a1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"})
    'etag:"a1"'
    """
    if etag := headers.get("ETag"):
        return f"etag:{etag}"
    date = headers.get("Last-Modified")
    return f"date:{date}" if date else ""


def asking_for_news(known: str) -> dict[str, str]:
    """Return the header that asks whether `known` still holds."""
    kind, _, value = known.partition(":")
    name = {"etag": "If-None-Match", "date": "If-Modified-Since"}.get(kind)
    return {name: value} if name else {}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `Retry-After` asks for, by the server's own clock where it gives a date.

    >>> retry_after({"Retry-After": "120"})
    120.0
    >>> retry_after({"Retry-After": "Fri, 02 Jan 2026 10:00:30 GMT", "Date": "Fri, 02 Jan 2026 10:00:00 GMT"})
    30.0
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    until = _date(value)
    if until is None:
        return None
    return max(0.0, (until - (_date(headers.get("Date", "")) or datetime.now(UTC))).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def check_answer(shown: str, response: aiohttp.ClientResponse) -> None:
    """Pass a whole object in an encoding that aiohttp undoes, and raise what any other answer means.

    Raises:
        UnavailableError: the status is a passing one; `retry_after` as the server asked.
        LoadError: it is not, or nobody here reads the encoding.
    """
    status = response.status
    if status in (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION):
        if (encoding := encoding_of(response)) not in ("identity", *ENCODINGS):
            raise LoadError(
                f"{shown}: content encoding {encoding[:40]!r} is not one of {', '.join(ENCODINGS)}"
            )
        return
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown status"
    if status in TRANSIENT:
        raise UnavailableError(f"{shown}: HTTP {status} {phrase}", retry_after=retry_after(response.headers))
    raise LoadError(f"{shown}: HTTP {status} {phrase}")


def encoding_of(response: aiohttp.ClientResponse) -> str:
    """Return the content encoding, `identity` where the answer names none."""
    return response.headers.get("Content-Encoding", "identity").strip().lower()


async def body_of(
    response: aiohttp.ClientResponse, limit: int, want: Want, length: int | None = None
) -> bytes:
    """Return the body, at most `limit` bytes of it after decompression; `length` is what it claims to have.

    aiohttp decompresses 256 KiB at a time and stops reading while that is not taken, so what a bomb can
    inflate to before it is noticed is a few such chunks. `want` hears of the bytes before they are kept.

    Raises:
        RefusedError: it is larger.
    """
    chunks: list[bytes] = []
    size, room = 0, length or 0
    if room <= limit:
        await want.room_for(room)
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > limit:
                break
            if size > room:
                await want.room_for(step := max(STEP, size - room))
                room += step
            chunks.append(chunk)
        else:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    response.close()  # the rest is not wanted, so the connection is not kept
    raise RefusedError(f"larger than fetch.max_bytes ({limit:,} bytes)")


async def start_of(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the first `most` bytes of the body, or as many as there are."""
    start = b""
    while len(start) < most and (chunk := await response.content.read(most - len(start))):
        start += chunk
    return start


@contextmanager
def failures_told(shown: str, settings: FetchSettings) -> Generator[None]:
    """Turn what aiohttp raises inside into errors of ours.

    None is chained: an aiohttp error's text may hold the whole URL.
    """
    try:
        yield
    except RefusedError as error:  # of the connector or the body, which do not know the URI
        raise RefusedError(f"{shown}: {error}") from None
    except aiohttp.ClientSSLError as error:
        raise LoadError(f"{shown}: no trusted TLS connection ({type(error).__name__})") from None
    except aiohttp.TooManyRedirects:
        raise RefusedError(
            f"{shown}: more redirects than fetch.max_redirects ({settings.max_redirects})"
        ) from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError):
        raise LoadError(f"{shown}: not a usable URL, or it redirects to one that is not") from None
    except aiohttp.ClientConnectorDNSError as error:
        kind = UnavailableError if error.os_error.errno == socket.EAI_AGAIN else LoadError
        raise kind(f"{shown}: the host name cannot be resolved") from None
    except aiohttp.ClientConnectorError as error:
        raise UnavailableError(f"{shown}: no connection: {error.os_error.strerror}") from None
    except TimeoutError:
        raise UnavailableError(
            f"{shown}: nothing came for {settings.chunk_timeout:g} s (fetch.chunk_timeout)"
        ) from None
    except (aiohttp.ClientError, OSError) as error:
        raise UnavailableError(f"{shown}: the transfer broke off ({type(error).__name__})") from None


def new_session(
    settings: FetchSettings, connector: aiohttp.BaseConnector, **options: Any
) -> aiohttp.ClientSession:
    """Return a session that keeps connections, never cookies, and bounds every silence."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=settings.chunk_timeout, sock_read=settings.chunk_timeout
        ),
        **options,
    )
