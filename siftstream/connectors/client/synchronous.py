"""The client for everybody else: the same calls, each waited for; the loop runs in a thread of its own."""

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from siftstream.connectors.client.answer import Answer
from siftstream.connectors.client.asynchronous import AsyncClient
from siftstream.connectors.client.entries import Item, Metadata
from siftstream.connectors.client.labelling import Labelled
from siftstream.connectors.client.pushed import Pushed
from siftstream.connectors.client.settings import Configured
from siftstream.schemas import Label

T = TypeVar("T")
CLOSED_WITHIN_S = 10.0


class Client:
    """Pushes, queries and labels; works in scripts, notebooks and beside any running event loop.

    It disconnects in `close()`, at the end of a `with`, or by itself when nobody holds it any more.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        pipeline: str | None = None,
        config: str | Path | Configured | None = None,
        server_url: str | None = None,
    ) -> None:
        """Say where the pipeline is; arguments as `AsyncClient`'s. Connects at the first call.

        Raises:
            ConfigError: no Kafka is known, or an argument cannot be used.
        """
        self._client = AsyncClient(address, pipeline=pipeline, config=config, server_url=server_url)
        self._loop: _Loop | None = None

    def __enter__(self) -> Self:
        self._wait(lambda client: client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect and end the thread."""
        if self._loop is not None:
            self._loop.close()

    def push_data(
        self,
        data: Item | Iterable[Item],
        asynchronous: bool = False,
        metadata: Metadata | None = None,
        event_times: Sequence[float] | None = None,
        ids: Sequence[str] | None = None,
        timeout: float = 120.0,
    ) -> Pushed:
        """Push samples and return their ids, as `AsyncClient.push_data`."""
        return self._wait(
            lambda client: client.push_data(data, asynchronous, metadata, event_times, ids, timeout)
        )

    def push(self, data_list: Item | Iterable[Item], asynchronous: bool = False) -> Pushed:
        """Another name of `push_data`."""
        return self.push_data(data_list, asynchronous)

    def settle(self, timeout: float = 120.0) -> None:
        """Wait until all that was pushed is scored or refused, as `AsyncClient.settle`."""
        self._wait(lambda client: client.settle(timeout))

    def query(
        self,
        budget: int,
        strategy: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        among: Iterable[str] | None = None,
        timeout: float = 60.0,
    ) -> Answer:
        """Choose this many samples now, as `AsyncClient.query`."""
        return self._wait(
            lambda client: client.query(budget, strategy, parameters, among=among, timeout=timeout)
        )

    def query_by_uri(
        self, input_uris: Sequence[str], budget: int, strategy: str | None = None, *, timeout: float = 60.0
    ) -> list[str]:
        """Push these and choose only among them, as `AsyncClient.query_by_uri`."""
        return self._wait(lambda client: client.query_by_uri(input_uris, budget, strategy, timeout=timeout))

    def label(
        self,
        what: Labelled,
        label: str | None = None,
        *,
        annotator: str | None = None,
        skip: bool = False,
    ) -> list[Label]:
        """Say what samples are, as `AsyncClient.label`."""
        return self._wait(lambda client: client.label(what, label, annotator=annotator, skip=skip))

    def _wait(self, call: Callable[[AsyncClient], Coroutine[Any, Any, T]]) -> T:
        if self._loop is not None and self._loop.closed:
            self._client, self._loop = AsyncClient(config=self._client.settings), None
        if self._loop is None:
            self._loop = _Loop(self._client)
            weakref.finalize(self, self._loop.close)  # also at the end of the program
        return self._loop.wait(call(self._client))


class _Loop:
    """An event loop in a thread, which disconnects the client before it ends."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="siftstream-client", daemon=True)
        self._thread.start()
        self.closed = False

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a call in the loop and return what it gives; Ctrl-C ends the call too."""
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Disconnect and end; waits for it, unless a garbage collection calls it in the loop's own thread."""
        if self.closed:
            return
        self.closed = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSED_WITHIN_S)

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        try:
            for task in others:
                task.cancel()
            await self._client.close()
        finally:
            self._loop.stop()
