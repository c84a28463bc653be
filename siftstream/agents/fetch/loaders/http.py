"""http: and https: by aiohttp: one session, bounded redirects and sizes, guarded addresses."""

import re
from typing import ClassVar

import aiohttp
from yarl import URL

from siftstream.agents.fetch.loaders import transfer
from siftstream.agents.fetch.loaders.addresses import GuardedConnector
from siftstream.agents.fetch.loaders.base import Loaded, Loader, Want
from siftstream.agents.fetch.loaders.redact import redact

_ENCODED = re.compile(r"[\x21-\x7e]+")  # sent as it is: quoting again would break a signature


class HttpLoader(Loader):
    """GETs whole objects; a copy in the cache is asked about by ETag, else by Last-Modified."""

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
        self._session = transfer.new_session(
            settings,
            connector,
            headers={"User-Agent": "siftstream", "Accept-Encoding": ", ".join(transfer.ENCODINGS)},
        )

    async def close(self) -> None:
        """Close the session and its connections."""
        await self._session.close()

    async def load(self, uri: str, want: Want) -> Loaded | None:
        """GET the object."""
        shown, settings = redact(uri), self.settings
        with transfer.failures_told(shown, settings):
            async with self._session.get(
                URL(uri, encoded=_ENCODED.fullmatch(uri) is not None),
                headers=transfer.asking_for_news(want.known),
                max_redirects=settings.max_redirects + 1,  # aiohttp counts the last answer too
                allow_redirects=settings.max_redirects > 0,
            ) as response:
                if response.status == 304 and want.known:
                    return None
                transfer.check_answer(shown, response)
                plain = transfer.encoding_of(response) == "identity"
                length = response.content_length if plain else None
                body = await transfer.body_of(response, settings.max_bytes, want, length)
                return Loaded(body, transfer.validator_of(response.headers))
