"""Stands in for fetch, infer and select: answers on the real broker as they do, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from hashlib import blake2b
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from siftstream.agents.select.asking.decision import Ballot
from siftstream.schemas import DataUri, Offer, Query, Reason, Scores, Selected, Trigger
from siftstream.schemas.bulk import decode_many
from siftstream.schemas.errors import LoadError
from siftstream.streams.dead_letters import dead_letter
from siftstream.streams.partition import partition_of
from siftstream.streams.record import Record
from siftstream.streams.settings import KafkaSettings, PipelineSettings
from siftstream.streams.topics import ensure_topics


def score_of(sample_id: str) -> float:
    """A number in 0..1, the same for ever."""
    return int.from_bytes(blake2b(sample_id.encode(), digest_size=4).digest(), "big") / 2**32


def key_of(sample_id: str) -> int:
    return int.from_bytes(blake2b(sample_id.encode(), digest_size=8).digest(), "big")


class StandIn:
    """One worker of every stage; a URI with `bad` in it dies, and each partition knows what is free."""

    def __init__(self, broker: str, name: str, *, partitions: int = 4) -> None:
        self.kafka = KafkaSettings(bootstrap_servers=broker)
        self.pipeline = PipelineSettings(name=name, partitions=partitions)
        self.silent: set[int] = set()  # partitions that do not offer
        self.late: set[int] = set()  # partitions that offer and do not deliver
        self.refusal = ""
        self.scores = True  # whether what comes in is scored
        self.queries: list[Query] = []
        self.free: dict[int, dict[str, str]] = defaultdict(dict)  # URI by id
        self._seen: set[str] = set()
        self._ready = threading.Event()
        self._stop: Any = None
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="stand-in")

    def __enter__(self) -> StandIn:
        ensure_topics(self.kafka, self.pipeline)
        self._thread.start()
        assert self._ready.wait(30), self._failed
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        if self._failed is not None:
            raise self._failed

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self._failed = error
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        names = [self.pipeline.topic("data-uris"), self.pipeline.topic("queries")]
        self._consumer = AIOKafkaConsumer(
            group_id=self.pipeline.group("fetch"), enable_auto_commit=False, auto_offset_reset="earliest",
            bootstrap_servers=self.kafka.servers, fetch_max_wait_ms=20,
        )  # fmt: skip
        self._producer = AIOKafkaProducer(bootstrap_servers=self.kafka.servers, acks="all")
        async with self._consumer, self._producer:
            places = [TopicPartition(names[0], p) for p in range(self.pipeline.partitions)]
            self._consumer.assign([*places, TopicPartition(names[1], 0)])
            self._ready.set()
            while not self._stop.is_set():
                for records in (await self._consumer.getmany(timeout_ms=50)).values():
                    for raw in records:
                        await self._take(Record.of_consumer(raw))

    async def _take(self, record: Record) -> None:
        if record.topic == self.pipeline.topic("queries"):
            await self._answer(Query.decode(record.value))
            return
        for event in decode_many(record.value):
            assert isinstance(event, DataUri)
            assert record.partition == partition_of(event.sample_id, self.pipeline.partitions)
            await self._judge(event, record)
        if self.scores:
            await self._consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})

    async def _judge(self, event: DataUri, record: Record) -> None:
        if "bad" in event.uri:
            alone = Record(record.topic, record.partition, record.offset, event.key, event.encode())
            letter = dead_letter(alone, LoadError(f"{event.uri}: no such file"), "fetch")
            await self._send("dead-letters", letter.value, letter.key, letter.partition, list(letter.headers))
        elif self.scores and event.sample_id not in self._seen:
            self._seen.add(event.sample_id)
            probs, embeddings = np.full((1, 1, 2), 0.5, np.float32), np.zeros((1, 2), np.float16)
            batch = Scores(
                [event.sample_id], [event.uri], np.zeros(1), [{}], probs, embeddings,
                model_version="v1", encoder="e",
            )  # fmt: skip
            await self._send("scores", batch.encode(), None, record.partition)
            self.free[record.partition][event.sample_id] = event.uri

    async def _answer(self, query: Query) -> None:
        self.queries.append(query)
        ballot = Ballot(query.budget, self.pipeline.partitions)
        offered: dict[int, list[str]] = {}
        for partition in range(self.pipeline.partitions):
            if partition in self.silent:
                continue
            free = [i for i in self.free[partition] if not query.among or i in query.among]
            best = sorted(free, key=score_of, reverse=True)[: query.budget]
            offered[partition] = best
            offer = Offer(
                query_id=query.query_id, partition=partition, free=len(free), seen=len(free), position=0,
                keys=tuple(map(key_of, best)), scores=tuple(map(score_of, best)), strategy="margin",
                comparable=True, refused=self.refusal,
            )  # fmt: skip
            await self._send("offers", offer.encode(), offer.key, 0)
            ballot.hear(offer)
        if ballot.decision is None:
            return
        for partition, ranks in ballot.decision.ranks.items():
            for rank, sample_id in zip(ranks, offered[partition], strict=False):
                if partition not in self.late:
                    uri = self.free[partition].pop(sample_id)
                    chosen = self._chosen(query, partition, rank, sample_id, uri, len(ranks))
                    await self._send("selected", chosen.encode(), chosen.key, partition)

    def _chosen(
        self, query: Query, partition: int, rank: int, sample_id: str, uri: str, size: int
    ) -> Selected:
        return Selected(
            sample_id=sample_id, uri=uri, partition=partition, round=0, round_size=size, rank=rank,
            score=score_of(sample_id), strategy="margin", reason=Reason.QUERY, trigger=Trigger.QUERY,
            query_id=query.query_id, position=0, seed=0, prediction="cat", probabilities={"cat": 0.6},
        )  # fmt: skip

    async def _send(
        self, name: str, value: bytes | None, key: bytes | None, partition: int | None, headers: Any = None
    ) -> None:
        await self._producer.send_and_wait(
            self.pipeline.topic(name), value, key=key, partition=partition, headers=headers
        )
