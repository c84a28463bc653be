"""Loaders: the bytes behind a URI, one file a scheme, guarded and retried by the reader."""

from siftstream.agents.fetch.loaders.base import Loader, scheme_of
from siftstream.agents.fetch.loaders.reader import Reader
from siftstream.agents.fetch.loaders.redact import redact
from siftstream.agents.fetch.loaders.registry import loader_schemes, make_loaders

__all__ = ["Loader", "Reader", "loader_schemes", "make_loaders", "redact", "scheme_of"]
