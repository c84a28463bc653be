"""Counters and gauges of one worker, for Prometheus: `GET /metrics` on `metrics.port`."""

import errno
from collections.abc import Callable, Sequence
from logging import getLogger
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from siftstream.schemas.errors import ConfigError
from siftstream.streams.app import StageApp
from siftstream.streams.settings import MetricsSettings

PORTS: Final = 64  # how many ports are tried
log = getLogger(__name__)


class Metrics:
    """The metrics of one app; a registry of its own, so that several apps can live in one process."""

    def __init__(self, stage: str) -> None:
        self.registry = CollectorRegistry()
        self._stage = stage

    def counter(self, name: str, about: str, label: str = "kind") -> Callable[[str, float], None]:
        """Return a function that counts: `count("retries", 1)`; safe to call from any thread.

        >>> metrics = Metrics("fetch")
        >>> count = metrics.counter("loads", "What happened to loads.")
        >>> count("retries", 2)
        >>> metrics.registry.get_sample_value("siftstream_fetch_loads_total", {"kind": "retries"})
        2.0
        """
        made = Counter(f"siftstream_{self._stage}_{name}", about, [label], registry=self.registry)
        children: dict[str, Any] = {}

        def count(kind: str, number: float) -> None:
            child = children.get(kind)
            if child is None:
                child = children[kind] = made.labels(kind)
            child.inc(number)

        return count

    def gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Show what `read` returns at the moment of asking."""
        made = Gauge(f"siftstream_{self._stage}_{name}", about, registry=self.registry)
        made.set_function(read)

    def state(self, name: str, about: str, labels: Sequence[str]) -> Callable[..., None]:
        """Return a function that shows which of several states holds: its series is 1, no other is there.

        >>> metrics = Metrics("infer")
        >>> show = metrics.state("runs_on", "What the model runs on.", ("provider",))
        >>> show("cuda"); show("cpu")
        >>> value = metrics.registry.get_sample_value
        >>> value("siftstream_infer_runs_on", {"provider": "cpu"})
        1.0
        >>> value("siftstream_infer_runs_on", {"provider": "cuda"}) is None
        True
        """
        made = Gauge(f"siftstream_{self._stage}_{name}", about, labels, registry=self.registry)

        def show(*values: str) -> None:
            made.clear()
            made.labels(*values).set(1)

        return show


def serve(app: StageApp, metrics: Metrics, settings: MetricsSettings) -> None:
    """Show the metrics from the app's start to its stop, where a port is set.

    Raises:
        ConfigError: no port can be had (when the app starts).
    """
    if not settings.port:
        return

    async def start() -> None:
        server, thread = _listen(metrics, settings)
        log.info("metrics at http://%s:%d/metrics", settings.host, server.server_address[1])

        async def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        app.close_at_stop(stop)

    app.first(start)


def _listen(metrics: Metrics, settings: MetricsSettings) -> tuple[Any, Any]:
    for port in range(settings.port, min(settings.port + PORTS, 65536)):
        try:
            return start_http_server(port, settings.host, metrics.registry)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigError(f"metrics.host {settings.host}: {error.strerror}") from error
    raise ConfigError(f"metrics.port: {settings.port} and the {PORTS - 1} after it are taken; choose another")
