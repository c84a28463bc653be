"""Moved: the servers for benchmarks are in `siftstream.bench.servers`."""

from siftstream.bench.servers import SERVERS as SERVERS
from siftstream.bench.servers import serve as serve
