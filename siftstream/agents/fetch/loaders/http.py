"""http: and https: by aiohttp: one session, bounded redirects and sizes, guarded addresses."""

import re
import socket
from http import HTTPStatus
from typing import ClassVar, Final

import aiohttp
from yarl import URL

from siftstream.agents.fetch.loaders.addresses import GuardedConnector
from siftstream.agents.fetch.loaders.base import Loader
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.schemas.errors import LoadError, RefusedError, UnavailableError

TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
CHUNK: Final = 1 << 16
_ENCODED = re.compile(r"[\x21-\x7e]+")  # sent as it is: quoting again would break a signature


class HttpLoader(Loader):
    """GETs whole objects; keeps connections, never cookies."""

    schemes: ClassVar[tuple[str, ...]] = ("http", "https")
    _session: aiohttp.ClientSession

    async def start(self) -> None:
        """Open the session."""
        settings = self.settings
        connector = GuardedConnector(
            schemes=frozenset(settings.schemes) & frozenset(self.schemes),
            allowed=frozenset(settings.allow_private_addresses),
            limit=settings.in_flight,
            limit_per_host=settings.per_host,  # the reader bounds the URI's host, this a redirect's target
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=settings.chunk_timeout, sock_read=settings.chunk_timeout
            ),
            headers={"User-Agent": "siftstream", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Close the session and its connections."""
        await self._session.close()

    async def load(self, uri: str) -> bytes:
        """GET the object.

        An aiohttp error is never chained: its text may hold the whole URL.
        """
        shown = redact(uri)
        try:
            url = URL(uri, encoded=_ENCODED.fullmatch(uri) is not None)
            async with self._session.get(
                url,
                max_redirects=self.settings.max_redirects + 1,  # aiohttp counts the last answer too
                allow_redirects=self.settings.max_redirects > 0,
            ) as response:
                _check_status(shown, response.status)
                return await self._body(response)
        except RefusedError as error:
            raise RefusedError(f"{shown}: {error}") from None
        except aiohttp.ClientSSLError as error:
            raise LoadError(f"{shown}: no trusted TLS connection ({type(error).__name__})") from None
        except aiohttp.TooManyRedirects:
            raise RefusedError(
                f"{shown}: more redirects than fetch.max_redirects ({self.settings.max_redirects})"
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
                f"{shown}: nothing came for {self.settings.chunk_timeout:g} s (fetch.chunk_timeout)"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(f"{shown}: the transfer broke off ({type(error).__name__})") from None

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self.settings.max_bytes
        body = bytearray()
        if (response.content_length or 0) <= limit:
            async for chunk in response.content.iter_chunked(CHUNK):
                body += chunk
                if len(body) > limit:
                    break
            else:
                return bytes(body)
        response.close()  # the rest is not wanted, so the connection is not kept
        raise RefusedError(f"larger than fetch.max_bytes ({limit:,} bytes)")


def _check_status(shown: str, status: int) -> None:
    if 200 <= status < 300:
        return
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown status"
    kind = UnavailableError if status in TRANSIENT else LoadError
    raise kind(f"{shown}: HTTP {status} {phrase}")
