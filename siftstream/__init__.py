"""Streaming active learning on Kafka: data URIs in, the few samples worth labeling out."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siftstream.connectors.client import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the client when somebody asks for it: `import siftstream` alone stays cheap."""
    if name in ("AsyncClient", "Client"):
        from siftstream.connectors import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
