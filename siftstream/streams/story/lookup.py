"""One sample, looked up in every topic: from the cheap ones, whose keys are ids, to the large ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from siftstream.schemas import (
    DataUri,
    Event,
    Label,
    ModelVersion,
    Query,
    Scores,
    Selected,
    Shadow,
    ShadowRound,
    TrainingLabel,
)
from siftstream.schemas.errors import SchemaError
from siftstream.streams.dead_letters import PREFIX
from siftstream.streams.dead_letters import TOPIC as DEAD_LETTERS
from siftstream.streams.partition import partition_of
from siftstream.streams.record import Record
from siftstream.streams.story import rows
from siftstream.streams.story.found import Found, Looked, Recalled, Refused, ShadowChoice, What
from siftstream.streams.story.reading import LogReader, Stretch
from siftstream.streams.story.told import Story, story_of
from siftstream.streams.story.which import id_of, the_one

CLOCKS_S: Final = 60.0  # by which the clocks of two machines may differ
FORWARDED: Final = "siftstream.forwarded"  # header of a label that consensus moved to its sample's partition
Told = Callable[[str, int, int], None]  # topic, records read, records to read


@dataclass
class Lookup:
    """Looks up one sample after another over the same connection."""

    log: LogReader
    name: str = ""  # the pipeline's prefix
    classes: Sequence[str] = ()  # names for columns of probabilities
    since: float | None = None  # features, scores and shadow from here on, seconds since the epoch
    whole: bool = False  # read them to their end: repeats and rescoring too
    shadows: int = 1  # lines of models in shadow
    told: Told = lambda topic, done, total: None
    _found: list[Found] = field(default_factory=list[Found])
    _looked: dict[str, Looked] = field(default_factory=dict[str, Looked])

    async def story(self, word: str) -> Story:
        """Return the story of the sample that a word means: an id, the beginning of one, or a URI.

        Raises:
            ConfigError: no sample or several; the topics are not there.
            UnavailableError: the cluster does not answer.
        """
        self.log.required(DataUri.topic)
        sample_id = id_of(word)
        await self._by_key(sample_id)
        if not self._found:
            sample_id = await the_one(self.log, word, self.since)
            await self._by_key(sample_id)
        for topic, kind in (("data-uris", DataUri), ("labels", Label)):  # placed by other partitioners
            if not any(one.topic == topic for one in self._found):
                await self._events(topic, kind, sample_id, self._elsewhere(topic, sample_id))
        await self._batches(sample_id)
        await self._shadow_choices(sample_id)
        await self._queries()
        await self._dead_letters(sample_id)
        versions = await self._versions()
        return story_of(sample_id, self._found, versions, self._looked)

    async def _by_key(self, sample_id: str) -> None:
        """Read the topics whose keys are ids, in the sample's own partition."""
        self._found, self._looked = [], {}
        kinds: tuple[type[Event], ...] = (DataUri, Selected, Label, TrainingLabel)
        for kind in kinds:
            await self._events(kind.topic, kind, sample_id, self._home(kind.topic, sample_id))

    async def _events(self, topic: str, kind: type[Event], sample_id: str, partitions: Sequence[int]) -> None:
        stretches = await self.log.stretches(topic, partitions)
        self._note(topic, stretches)
        async for record in self.log.read(topic, stretches):
            for event in _events_of(kind, record, sample_id):
                self._add(topic, record, event)

    async def _batches(self, sample_id: str) -> None:
        """Find the sample's rows: scores first, which tell where its features stand."""
        since = self._pushed_at()
        first = await self._rows(Scores.topic, sample_id, since, 1)
        source = next((one.what.source for one in first if isinstance(one.what, rows.Scored)), -1)
        await self._rows(Shadow.topic, sample_id, since, self.shadows)
        await self._rows(rows.Features.topic, sample_id, since, 1, source)

    async def _rows(
        self, topic: str, sample_id: str, since: float | None, wanted: int, at: int = -1
    ) -> list[Found]:
        """Read micro-batches until the sample came `wanted` times; `at`: the offset where it stands."""
        home = self._home(topic, sample_id)
        stretches = await self.log.stretches(topic, home)
        self._note(topic, stretches)
        if at >= 0 and not self.whole:
            stretches = {p: Stretch(max(at, s.first), min(at + 1, s.end)) for p, s in stretches.items()}
        elif since is not None:
            everything, stretches = stretches, await self.log.stretches(topic, home, since)
            skipped = any(stretches[p].first > everything[p].first for p in stretches)
            if skipped and self.since is not None:
                self._looked[topic] = Looked(self._looked[topic].first, self.since)
        if topic == Scores.topic and not self.whole:
            stretches = self._until_chosen(stretches)
        return await self._scan(topic, sample_id, stretches, wanted)

    def _until_chosen(self, stretches: dict[int, Stretch]) -> dict[int, Stretch]:
        """A chosen sample was scored at the offset where its round was held, or before."""
        held = [one.what.position for one in self._found if isinstance(one.what, Selected)]
        end = max(held) + 1 if held else None
        return {p: Stretch(s.first, min(s.end, end or s.end)) for p, s in stretches.items()}

    async def _scan(
        self, topic: str, sample_id: str, stretches: dict[int, Stretch], wanted: int
    ) -> list[Found]:
        before, total = len(self._found), sum(max(0, s.end - s.first) for s in stretches.values())
        records = self.log.read(topic, stretches)
        done = 0
        async for record in records:
            done += 1
            self.told(topic, done, total)
            row = rows.row_of(record.value, sample_id)
            if row is None:
                continue
            what = self._row(topic, record, row)
            if what is not None:
                self._add(topic, record, what)
            if len(self._found) - before >= wanted and not self.whole:
                break
        await records.aclose()
        return self._found[before:]

    def _row(self, topic: str, record: Record, row: int) -> What | None:
        try:
            if topic == rows.Features.topic:
                return rows.fetched(record.value, row)
            kind = Shadow if topic == Shadow.topic else Scores
            return rows.scored(kind, record.value, row, self.classes)
        except SchemaError:
            return None

    async def _shadow_choices(self, sample_id: str) -> None:
        topic = ShadowRound.topic
        stretches = await self.log.stretches(topic, self._home(topic, sample_id), self._pushed_at())
        async for record in self.log.read(topic, stretches):
            if record.value is None or sample_id.encode() not in record.value:
                continue
            try:
                held = ShadowRound.decode(record.value)
            except SchemaError:
                continue
            if sample_id in held.sample_ids:
                rank = held.sample_ids.index(sample_id)
                score = held.scores[rank] if rank < len(held.scores) else None
                what = ShadowChoice(held.strategy, held.round, rank, len(held.sample_ids), score)
                self._add(topic, record, what)

    async def _queries(self) -> None:
        """Find the queries that asked for it, where their topic still has them."""
        ids = {one.what.query_id for one in self._found if isinstance(one.what, Selected)} - {None}
        if not ids:
            return
        stretches = await self.log.stretches(Query.topic, self.log.partitions(Query.topic))
        async for record in self.log.read(Query.topic, stretches):
            try:
                query = Query.decode(record.value)
            except SchemaError:
                continue
            if query.query_id in ids:
                self._add(Query.topic, record, query)

    async def _dead_letters(self, sample_id: str) -> None:
        prefix = f"{self.name}." if self.name else ""
        stretches = await self.log.stretches(DEAD_LETTERS, self.log.partitions(DEAD_LETTERS))
        async for record in self.log.read(DEAD_LETTERS, stretches):
            if rows.died(record, rows.origin_of(record).removeprefix(prefix), sample_id):
                self._add(DEAD_LETTERS, record, _refused(record))

    async def _versions(self) -> list[Found]:
        topic, versions = ModelVersion.topic, list[Found]()
        stretches = await self.log.stretches(topic, self.log.partitions(topic))
        async for record in self.log.read(topic, stretches):
            try:
                version = ModelVersion.decode(record.value)
            except SchemaError:
                continue
            versions.append(Found(topic, record.partition, record.offset, record.timestamp, version))
        return versions

    def _home(self, topic: str, sample_id: str) -> list[int]:
        count = len(self.log.partitions(topic))
        return [partition_of(sample_id, count)] if count else []  # older pipelines lack the newer topics

    def _elsewhere(self, topic: str, sample_id: str) -> list[int]:
        return [p for p in self.log.partitions(topic) if p not in self._home(topic, sample_id)]

    def _pushed_at(self) -> float | None:
        """The moment from which on its micro-batches can stand in the log."""
        if self.since is not None:
            return self.since
        pushed = [one.at for one in self._found if isinstance(one.what, DataUri)]
        return min(pushed) - CLOCKS_S if pushed else None

    def _note(self, topic: str, stretches: dict[int, Stretch]) -> None:
        if stretches:
            self._looked.setdefault(topic, Looked(max(s.first for s in stretches.values())))

    def _add(self, topic: str, record: Record, what: What) -> None:
        came_by = record.header(FORWARDED)
        note = f"came by partition {came_by}" if came_by else ""
        self._found.append(Found(topic, record.partition, record.offset, record.timestamp, what, note))


def _events_of(kind: type[Event], record: Record, sample_id: str) -> list[What]:
    """Return the sample's events in a record; what is not readable tells nothing of it."""
    if kind is DataUri:
        return [one for one in rows.pushed(record.value, sample_id) if one.sample_id == sample_id]
    if record.value is None:
        is_recall = kind is Selected and record.key == sample_id.encode()
        return [Recalled()] if is_recall else []
    name = sample_id.encode()
    if record.key != name and name not in record.value and b"\\" not in record.value:
        return []
    try:
        event = kind.decode(record.value)
    except SchemaError:
        return []
    if isinstance(event, Selected | Label | TrainingLabel) and event.sample_id == sample_id:
        return [event]
    return []


def _refused(letter: Record) -> Refused:
    fact = {
        name: letter.header(PREFIX + name) or "?"
        for name in ("stage", "type", "message", "topic", "partition", "offset", "attempts")
    }
    place = f"{fact['topic']} {fact['partition']}@{fact['offset']}"
    return Refused(fact["stage"], fact["type"], fact["message"], place, fact["attempts"])
