"""Machines that are not there, for tests: the CPU plays the GPU, and some libraries are missing."""

from collections.abc import Callable
from typing import Any

from siftstream.models.providers import PROVIDERS
from siftstream.models.session import Graph, Machine, open_on
from siftstream.schemas.errors import ModelError


class Pretending:
    """A session of the CPU that says it runs on another provider."""

    def __init__(self, session: Any, provider: str) -> None:
        self._session, self._provider = session, provider
        self.bound_runs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return [PROVIDERS[self._provider], PROVIDERS["cpu"]]

    def run_with_iobinding(self, binding: Any) -> None:
        self.bound_runs += 1
        self._session.run_with_iobinding(binding)


class FakeGpu:
    """A machine where some providers load, by the CPU's means; notes what was opened on what."""

    def __init__(
        self, *loads: str, lacking: dict[str, str] | None = None, fails: Callable[[Graph], bool] | None = None
    ) -> None:
        self._loads, self._lacking, self._fails = loads, lacking or {}, fails
        self.opened: list[tuple[str, Graph]] = []
        self.machine = Machine(self._lacking.get, self._open, device="cpu")

    def _open(self, graph: Graph, provider: str) -> Any:
        self.opened.append((provider, graph))
        if self._fails and provider != "cpu" and self._fails(graph):
            raise ModelError("encoder: ONNX Runtime cannot load it: no such kernel")
        session = open_on(Graph(graph.onnx, graph.threads), "cpu")
        return Pretending(session, provider) if provider in self._loads else session

    def on(self, provider: str) -> list[Graph]:
        """The graphs opened on a provider."""
        return [graph for name, graph in self.opened if name == provider]
