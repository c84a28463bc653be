"""data: URIs (RFC 2397): the bytes are in the URI itself, in base64 or percent-encoded."""

import asyncio
import base64
import binascii
import re
from typing import ClassVar
from urllib.parse import unquote_to_bytes

from siftstream.agents.fetch.loaders.base import Loaded, LocalLoader, Want
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.schemas.errors import LoadError, RefusedError

_WHITESPACE = re.compile(rb"\s+")


class DataLoader(LocalLoader):
    """Decodes the payload of the URI."""

    schemes: ClassVar[tuple[str, ...]] = ("data",)

    async def load(self, uri: str, want: Want) -> Loaded:
        """Decode in a thread: a payload may be as large as a Kafka record."""
        await want.room_for(len(uri))
        return Loaded(await asyncio.to_thread(self.read, uri))

    def read(self, uri: str) -> bytes:
        """Return the payload."""
        data = decode_data_uri(uri)
        if len(data) > self.settings.max_bytes:
            raise RefusedError(
                f"{redact(uri)}: larger than fetch.max_bytes ({self.settings.max_bytes:,} bytes)"
            )
        return data


def decode_data_uri(uri: str) -> bytes:
    """Return the bytes that a data: URI carries.

    >>> decode_data_uri("data:text/plain;base64,aGVsbG8="), decode_data_uri("data:,a%20b")
    (b'hello', b'a b')

    Raises:
        LoadError: there is no comma, or the base64 is broken.
    """
    head, comma, payload = uri.partition(",")
    if not comma:
        raise LoadError(f"{redact(uri)}: a data URI needs a comma before its data")
    data = unquote_to_bytes(payload)
    if not head.lower().rstrip().endswith(";base64"):
        return data
    try:
        return base64.b64decode(_WHITESPACE.sub(b"", data), validate=True)
    except binascii.Error as error:
        raise LoadError(f"{redact(uri)}: broken base64: {error}") from None
