"""The address guard: connections go to public addresses only, or to hosts that are allowed by name.

For HTTP the resolver checks exactly the addresses that the connector then connects to, and the connector
checks literal addresses and the scheme of every request, redirects too; other loaders connect by
`connect_guarded`. Between check and use nothing is looked up.
"""

import re
import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from aiohttp import ClientRequest, ClientTimeout, DefaultResolver, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection

from siftstream.schemas.errors import LoadError, RefusedError, UnavailableError

CLOUD_HOSTS: Final = frozenset({IPv4Address("168.63.129.16")})  # Azure's host agent, on a public address
NAT64: Final = IPv6Network("64:ff9b::/96")
_NUMBER = re.compile(r"(\d+|0x[0-9a-f]*)", re.IGNORECASE)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address, or the IPv4 address inside it, is on the public internet.

    >>> is_public(ip_address("93.184.215.14")), is_public(ip_address("::ffff:169.254.169.254"))
    (True, False)
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if address.teredo:
            inner = address.teredo[1]
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and address not in CLOUD_HOSTS


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that `host` spells, None for a name.

    Raises:
        RefusedError: a number in disguise (`127.1`, `2130706433`, `0x7f.1`).
    """
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        if ":" in host or _NUMBER.fullmatch(last):
            raise RefusedError(f"{host}: an address must be written in full, such as 192.0.2.1") from None
        return None


def _refusal(host: str) -> RefusedError:
    return RefusedError(
        f"{host}: a private, loopback or link-local address;"
        " add the host to fetch.allow_private_addresses if it is meant"
    )


def connect_guarded(host: str, port: int, allowed: Collection[str], timeout: float) -> socket.socket:
    """Connect to the first address of `host` that answers, after every one of them is found public.

    Raises:
        RefusedError: an address is not public and the host is not in `allowed`.
        LoadError, UnavailableError: the name has no address, or none answers.
    """
    trusted = host.lower().rstrip(".") in allowed
    if not trusted:
        literal_address(host)  # refuses numbers in disguise
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        again = isinstance(error, OSError) and error.errno == socket.EAI_AGAIN
        raise (UnavailableError if again else LoadError)("the host name cannot be resolved") from None
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if not trusted and not all(is_public(ip_address(found.partition("%")[0])) for found in addresses):
        raise _refusal(host)
    reason: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            reason = error
    words = (
        f"no answer within {timeout:g} s"
        if isinstance(reason, TimeoutError)
        else str(reason and reason.strerror)
    )
    raise UnavailableError(f"no connection: {words}")


class GuardedResolver(AbstractResolver):
    """Resolves names and refuses one that leads to an address which is not public."""

    def __init__(self, allowed: Collection[str], inner: AbstractResolver | None = None) -> None:
        self._allowed = allowed
        self._inner = inner or DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve, and raise RefusedError if any answer is not public and the name is not allowed."""
        answers = await self._inner.resolve(host, port, family)
        if host.lower().rstrip(".") not in self._allowed:
            for answer in answers:
                if not is_public(ip_address(answer["host"].partition("%")[0])):
                    raise _refusal(host)
        return answers

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._inner.close()


class GuardedConnector(TCPConnector):
    """Connects to what the guard lets through; asked for each request, pooled or new, and each redirect."""

    def __init__(
        self,
        *,
        schemes: Collection[str],
        allowed: Collection[str],
        resolver: AbstractResolver | None = None,
        **options: Any,
    ) -> None:
        super().__init__(resolver=GuardedResolver(allowed, resolver), **options)
        self._schemes = schemes
        self._hosts_allowed = allowed

    async def connect(self, req: ClientRequest, traces: list[Any], timeout: ClientTimeout) -> Connection:
        """Check scheme and literal address, then connect as usual."""
        if req.url.scheme not in self._schemes:
            raise RefusedError(f"{req.url.scheme}: not a scheme of fetch.schemes")
        host = req.url.raw_host or ""
        if host.lower().rstrip(".") not in self._hosts_allowed:
            address = literal_address(host)
            if address is not None and not is_public(address):
                raise _refusal(host)
        return await super().connect(req, traces, timeout)
