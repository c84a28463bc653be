"""The client for programs with an event loop: push, query and label, over Kafka alone."""

import asyncio
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pydantic import ValidationError

from siftstream.connectors.client.answer import Answer
from siftstream.connectors.client.asking import ask
from siftstream.connectors.client.connection import Connection
from siftstream.connectors.client.entries import Item, Metadata, events_of
from siftstream.connectors.client.following import Following
from siftstream.connectors.client.labelling import Labelled, labels_of
from siftstream.connectors.client.pushed import Pushed
from siftstream.connectors.client.pushing import send
from siftstream.connectors.client.settings import Configured, settings_of
from siftstream.schemas import DataUri, Label, Query
from siftstream.schemas.errors import ConfigError, StrategyError, UnavailableError

log = logging.getLogger(__name__)
GATHERED: Final = 4096  # events that leave at once
GRACE_S: Final = 2.0  # after its timeout a query is given up wherever it is


class AsyncClient:
    """Pushes, queries and labels; connects at its first call, or in `async with`.

    Any number of its calls may run at once, in one event loop.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        pipeline: str | None = None,
        config: str | Path | Configured | None = None,
        server_url: str | None = None,
    ) -> None:
        """Say where the pipeline is.

        Args:
            address: Kafka's `host:port` (perhaps as a URL); none: what the configuration says, else the
                local broker of a `siftstream up` in this folder.
            pipeline: The pipeline's name; none: what the configuration says.
            config: A configuration file; none: `SIFTSTREAM_CONFIG`, else `siftstream.yaml` here if there.
            server_url: Another name of `address`.

        Raises:
            ConfigError: no Kafka is known, or an argument cannot be used.
        """
        self._settings = settings_of(address or server_url, pipeline, config)
        self._connection = Connection(self._settings)
        self._following = Following(self._connection)
        self._starting = asyncio.Lock()
        self._started = False

    @property
    def settings(self) -> Configured:
        """Where the pipeline is, as far as it is known."""
        return self._settings

    async def __aenter__(self) -> Self:
        await self._connected()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Disconnect; a later call connects again."""
        async with self._starting:
            self._started = False
            await self._connection.stop()

    async def push_data(
        self,
        data: Item | Iterable[Item],
        asynchronous: bool = False,
        metadata: Metadata | None = None,
        event_times: Sequence[float] | None = None,
        ids: Sequence[str] | None = None,
        timeout: float = 120.0,
    ) -> Pushed:
        """Push samples; return their ids, with what became of each.

        Args:
            data: URIs, files, folders, patterns, `DataUri`s, or mappings as lines of a list have them.
            asynchronous: Return when Kafka has them; else when each is scored or refused.
            metadata: Of all, or one mapping an item.
            event_times: Seconds since the epoch, one an item.
            ids: Sample ids, one an item; else a hash of the URI.
            timeout: Seconds to wait for scores at most; what is not scored by then stays in `waiting`.

        Raises:
            SchemaError, LoadError: an item that makes no event (the message says which).
            UnavailableError: Kafka does not answer; what was acknowledged before stays pushed.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        pushed = await self._push(data, metadata, event_times, ids)
        if not asynchronous:
            await self._following.settle([pushed], deadline)
            if pushed.waiting:
                log.warning("push: %s", pushed.told)
        return pushed

    async def push(self, data_list: Item | Iterable[Item], asynchronous: bool = False) -> Pushed:
        """Another name of `push_data`."""
        return await self.push_data(data_list, asynchronous)

    async def settle(self, timeout: float = 120.0) -> None:
        """Wait until everything that this client has pushed is scored or refused, or the time is over.

        Raises:
            UnavailableError: Kafka does not answer, or something is neither after `timeout` seconds.
        """
        await self._settle(self._following.unsettled, timeout)

    async def query(
        self,
        budget: int,
        strategy: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        *,
        among: Iterable[str] | None = None,
        timeout: float = 60.0,
    ) -> Answer:
        """Choose this many samples now, over all partitions; fewer only where no more are free.

        What this client has pushed before is waited for first.

        Args:
            budget: How many.
            strategy: Name of a strategy; none: the configured one.
            parameters: The strategy's own.
            among: Sample ids: choose only among these, 10,000 at most; none: among all.
            timeout: Seconds, all in all.

        Raises:
            StrategyError: the strategy is unknown or cannot work here, or no such query is possible.
            UnavailableError: no answer in time, the message says from which partitions.
        """
        began = asyncio.get_running_loop().time()
        try:
            # of its own the driver waits longer for a broker that is gone
            async with asyncio.timeout(timeout + GRACE_S):
                await self._connected()
                await self._settle(self._following.unsettled, timeout)
                left = timeout - (asyncio.get_running_loop().time() - began)
                query = self._query(budget, strategy, parameters, among, left)
                answer = await ask(self._connection, query)
        except TimeoutError:
            raise UnavailableError(
                f"Kafka at {self._connection.servers} does not answer within {timeout:.3g} s; is it up?"
            ) from None
        if not answer.complete:
            log.warning("query: %s", answer.told)
        return answer

    def _query(
        self,
        budget: int,
        strategy: str | None,
        parameters: Mapping[str, Any] | None,
        among: Iterable[str] | None,
        left: float,
    ) -> Query:
        wanted = tuple(among or ())
        if among is not None and not wanted:
            raise StrategyError(
                "no such query: among: no sample to choose from; leave it out to choose of all"
            )
        try:
            return Query(
                query_id=uuid.uuid4().hex, budget=budget, strategy=strategy,
                parameters=dict(parameters or {}), among=wanted, after=dict(self._following.after),
                timeout=max(left, 0.001),
            )  # fmt: skip
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise StrategyError(f"no such query: {field}: {first['msg']}") from None

    async def query_by_uri(
        self, input_uris: Sequence[str], budget: int, strategy: str | None = None, *, timeout: float = 60.0
    ) -> list[str]:
        """Push these, and choose only among them; return the chosen, best first, as they were given.

        Raises:
            as `push_data` and `query`.
        """
        began = asyncio.get_running_loop().time()
        pushed = await self._push(input_uris)
        if len(pushed) != len(input_uris):
            raise ConfigError(
                "query_by_uri takes single URIs and files: push folders, then query among their ids"
            )
        await self._settle([pushed], timeout)
        left = timeout - (asyncio.get_running_loop().time() - began)
        given = dict(zip(pushed, input_uris, strict=True))
        answer = await self.query(budget, strategy, among=given, timeout=left)
        return [given[sample.sample_id] for sample in answer]

    async def label(
        self,
        what: Labelled,
        label: str | None = None,
        *,
        annotator: str | None = None,
        skip: bool = False,
    ) -> list[Label]:
        """Say what samples are; return the events when Kafka has them.

        Args:
            what: A sample id or chosen sample, several of them, `{id: label}`, or `Label`s.
            label: The class.
            annotator: Who says it; none: the user's login name.
            skip: Say that there is no answer.

        Raises:
            LabelError: no label, or one that is no class of the configuration.
            UnavailableError: Kafka does not answer.
        """
        said = labels_of(what, label, annotator=annotator, skip=skip, classes=self._settings.classes)
        await self._connected()
        flights = [await self._connection.send(Label.topic, one.encode(), one.key) for one in said]
        for flight in flights:
            await self._connection.acknowledged(flight)
        return said

    async def _connected(self) -> None:
        async with self._starting:
            if not self._started:
                await self._connection.start()
                self._started = True

    async def _push(
        self,
        data: Item | Iterable[Item],
        metadata: Metadata | None = None,
        event_times: Sequence[float] | None = None,
        ids: Sequence[str] | None = None,
    ) -> Pushed:
        await self._connected()
        events = events_of(data, metadata, event_times, ids)
        pushed = Pushed()
        async with self._following.pushing():
            try:
                while lot := await asyncio.to_thread(_lot, events):
                    names = [event.sample_id for event in lot]
                    pushed.extend(names)
                    self._following.expect(pushed, names)
                    self._following.sent(await send(self._connection, lot))
            except BaseException:
                self._following.forget(pushed)
                raise
        return pushed

    async def _settle(self, pushes: Sequence[Pushed], timeout: float) -> None:
        """Wait for these; what is not known after `timeout` s is an error."""
        await self._following.settle(pushes, asyncio.get_running_loop().time() + timeout)
        for push in pushes:
            if push.waiting:
                raise UnavailableError(
                    f"{push.told}, within {timeout:.3g} s: do `siftstream worker fetch` and `infer` run?"
                )


def _lot(events: Iterable[DataUri]) -> list[DataUri]:
    return list(islice(events, GATHERED))
