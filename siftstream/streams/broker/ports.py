"""Ports of 127.0.0.1: is one free, and which two are."""

import random
import socket

from siftstream.schemas.errors import BrokerError

BELOW_EPHEMERAL = range(20_000, 30_000)
"""Outgoing connections get ports from above these: one of them could sit on ours while we restart."""


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now (connections of a former one may still be closing)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(but: int | None = None) -> int:
    """Return a free port that is not `but`; BrokerError if there is none."""
    chance = random.SystemRandom()  # which port it is must not follow from a seed set elsewhere
    for port in chance.sample(BELOW_EPHEMERAL, 200):
        if port != but and is_free(port):
            return port
    raise BrokerError("No free port was found between 20000 and 30000 on 127.0.0.1: name one with --port.")


def check_port(port: int) -> None:
    """Refuse a port that is out of range or taken."""
    if not 1 <= port <= 65_535:
        raise BrokerError(f"{port} is not a port: choose one from 1 to 65535.")
    if not is_free(port):
        raise BrokerError(
            f"Port {port} on 127.0.0.1 is taken (or not allowed): stop the process that listens there "
            f"(`lsof -i :{port}` names it), choose another --port, or leave --port out for a free one."
        )
