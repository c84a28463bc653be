"""The Arrow micro-batches of the inner topics: 1 to 256 samples in one record.

Shape letters used everywhere: B batch, M members of the head, C classes, D embedding dimension.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from siftstream.schemas.columns import Column
from siftstream.schemas.errors import SchemaError

MAX_SAMPLES = 256
_HASH = 32  # bytes of a sha256
_INPUT = "input:"  # what the columns of a model's inputs begin with
_COLUMNS = (
    ("sample_id", pa.string()),
    ("uri", pa.string()),
    ("event_time", pa.float64()),
    ("metadata", pa.map_(pa.string(), pa.string())),
)


def _tensor_column(array: np.ndarray) -> pa.FixedSizeListArray:
    """Store a [B, ...] array as one flat fixed-size list a row, without a copy where it is contiguous."""
    flat = np.ascontiguousarray(array).reshape(-1)
    width = flat.size // len(array)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), width)


def _tensor_field(name: str, array: np.ndarray) -> pa.Field:
    shape = ",".join(str(size) for size in array.shape[1:])
    width = int(np.prod(array.shape[1:], dtype=np.int64))
    return pa.field(name, pa.list_(pa.from_numpy_dtype(array.dtype), width), metadata={"shape": shape})


def _tensor(table: pa.RecordBatch, name: str) -> np.ndarray:
    """Return a column as an array [B, ...], a read-only view."""
    field = table.schema.field(name)
    shape = tuple(int(n) for n in (field.metadata or {})[b"shape"].decode().split(",") if n)
    values = table.column(name).flatten().to_numpy(zero_copy_only=True)
    return values.reshape((table.num_rows, *shape))


def _texts(table: pa.RecordBatch, name: str) -> Column[str] | None:
    """Return a column of texts, or none where a text is missing or empty."""
    texts = table.column(name).cast(pa.string())
    ends = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return Column(texts) if not texts.null_count and (ends[1:] > ends[:-1]).all() else None


def _metadata(table: pa.RecordBatch) -> Sequence[dict[str, str]]:
    column = table.column("metadata").cast(_COLUMNS[3][1])
    if not len(column.items):
        return [{} for _ in range(len(column))]
    return Column(column, lambda pairs: dict(pairs or ()))


def _is_finite(array: np.ndarray) -> bool:
    """Tell whether all numbers are finite; of float16 by their exponents, which is six times as fast."""
    if array.dtype == np.float16:
        return bool(((array.view(np.uint16) & 0x7C00) != 0x7C00).all())
    return bool(np.isfinite(array).all())


@dataclass(frozen=True, eq=False)
class MicroBatch:
    """The columns that features and scores share; subclasses add their tensors."""

    topic: ClassVar[str]

    sample_ids: Sequence[str]
    uris: Sequence[str]
    event_times: np.ndarray  # [B] float64, seconds since the epoch
    metadata: Sequence[dict[str, str]]

    def __len__(self) -> int:
        return len(self.sample_ids)

    def encode(self) -> bytes:
        """Return the batch as one Arrow IPC stream."""
        columns: list[pa.Array] = [
            pa.array(self.sample_ids, pa.string()),
            pa.array(self.uris, pa.string()),
            pa.array(np.asarray(self.event_times, np.float64)),
            pa.array([list(m.items()) for m in self.metadata], _COLUMNS[3][1]),
        ]
        fields = [pa.field(name, kind) for name, kind in _COLUMNS]
        for name, array in self._tensors().items():
            fields.append(_tensor_field(name, array))
            columns.append(_tensor_column(array))
        schema = pa.schema(fields, metadata={"siftstream": self.topic, "version": "1", **self._notes()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_batch(pa.record_batch(columns, schema=schema))
        return sink.getvalue().to_pybytes()

    @classmethod
    def decode(cls, value: bytes | None) -> Self:
        """Read one micro-batch; its arrays are read-only views into `value`.

        Raises:
            SchemaError: not Arrow, another topic's batch, a newer version, or columns that do not fit.
        """
        if value is None:
            raise SchemaError(f"{cls.topic}: an empty record (tombstone) where a micro-batch belongs")
        try:
            with pa.ipc.open_stream(value) as reader:
                notes = {k.decode(): v.decode() for k, v in (reader.schema.metadata or {}).items()}
                if notes.get("siftstream") != cls.topic or notes.get("version") != "1":
                    found = f"{notes.get('siftstream', 'foreign')} version {notes.get('version', 'none')}"
                    raise SchemaError(f"{cls.topic}: an Arrow batch of {found}, not {cls.topic} version 1")
                table = reader.read_next_batch()
            table.validate(full=True)  # texts are read later, and must be readable then
            return cls._from_arrow(table, notes)
        except (pa.ArrowException, KeyError, ValueError, TypeError, OSError, StopIteration) as error:
            raise SchemaError(f"{cls.topic}: not a readable micro-batch: {error}") from error

    @classmethod
    def _from_arrow(cls, table: pa.RecordBatch, notes: dict[str, str]) -> Self:
        if not 1 <= table.num_rows <= MAX_SAMPLES:
            raise SchemaError(
                f"{cls.topic}: {table.num_rows} samples in a record, 1 to {MAX_SAMPLES} allowed"
            )
        ids, uris = _texts(table, "sample_id"), _texts(table, "uri")
        if ids is None or uris is None:
            raise SchemaError(f"{cls.topic}: a sample without id or URI")
        return cls(
            sample_ids=ids,
            uris=uris,
            event_times=table.column("event_time").to_numpy(),
            metadata=_metadata(table),
            **cls._read_tensors(table),
            **cls._read_notes(notes),
        )

    def _tensors(self) -> dict[str, np.ndarray]:
        """The arrays [B, ...] by column."""
        raise NotImplementedError

    @classmethod
    def _read_tensors(cls, table: pa.RecordBatch) -> dict[str, Any]:
        """The same, back from Arrow, as arguments of the class."""
        raise NotImplementedError

    def _notes(self) -> dict[str, str]:
        return {}

    @classmethod
    def _read_notes(cls, notes: dict[str, str]) -> dict[str, Any]:
        del notes
        return {}


@dataclass(frozen=True, eq=False)
class Features(MicroBatch):
    """Model-ready inputs, as fetch made them: one array a name that the model reads.

    >>> batch = Features(["a"], ["file:///a.png"], np.zeros(1), [{}],
    ...     {"image": np.zeros((1, 1, 8, 8), np.uint8)}, [bytes(32)])
    >>> Features.decode(batch.encode()).inputs["image"].shape
    (1, 1, 8, 8)
    """

    topic: ClassVar[str] = "features"

    inputs: Mapping[str, np.ndarray]  # [B, ...] each; images are uint8 [B, channels, height, width]
    contents: Sequence[bytes]  # sha256 of the bytes that each sample was made of

    def _tensors(self) -> dict[str, np.ndarray]:
        hashes = np.frombuffer(b"".join(self.contents), np.uint8).reshape(len(self), _HASH)
        return {"content_sha256": hashes, **{_INPUT + name: array for name, array in self.inputs.items()}}

    @classmethod
    def _read_tensors(cls, table: pa.RecordBatch) -> dict[str, Any]:
        names = [name for name in table.schema.names if name.startswith(_INPUT)]
        hashes = _tensor(table, "content_sha256")
        if not names or hashes.shape[1:] != (_HASH,) or hashes.dtype != np.uint8:
            raise SchemaError("features: no input array, or content hashes that are not 32 bytes each")
        return {
            "inputs": {name.removeprefix(_INPUT): _tensor(table, name) for name in names},
            "contents": [row.tobytes() for row in hashes],
        }


@dataclass(frozen=True, eq=False)
class Scores(MicroBatch):
    """What the model said: probabilities of every head member and the embedding.

    >>> batch = Scores(["a"], ["file:///a.png"], np.zeros(1), [{}], np.full((1, 1, 2), .5, np.float32),
    ...     np.zeros((1, 4), np.float16), model_version="v1", encoder="ab")
    >>> Scores.decode(batch.encode()).model_version
    'v1'
    """

    topic: ClassVar[str] = "scores"

    probs: np.ndarray  # [B, M, C] float32, each row sums to 1
    embeddings: np.ndarray  # [B, D] float16
    model_version: str
    encoder: str  # sha256 of the encoder that made the embeddings
    line: str = ""  # the line of models that the version is of; empty in records of before lines were told
    source: int = -1  # offset in `features` of the record that these samples came in
    again: bool = False  # scored anew on request: replaces rows of a window, adds none

    def _tensors(self) -> dict[str, np.ndarray]:
        return {"probs": self.probs, "embeddings": self.embeddings}

    @classmethod
    def _read_tensors(cls, table: pa.RecordBatch) -> dict[str, Any]:
        return {name: _tensor(table, name) for name in ("probs", "embeddings")}

    def _notes(self) -> dict[str, str]:
        return {
            "model_version": self.model_version, "encoder": self.encoder, "line": self.line,
            "source": str(self.source), "again": "1" if self.again else "",
        }  # fmt: skip

    @classmethod
    def _read_notes(cls, notes: dict[str, str]) -> dict[str, Any]:
        return {
            "model_version": notes["model_version"],
            "encoder": notes["encoder"],
            "line": notes.get("line", ""),
            "source": int(notes.get("source", -1)),
            "again": bool(notes.get("again")),
        }

    @classmethod
    def _from_arrow(cls, table: pa.RecordBatch, notes: dict[str, str]) -> Self:
        batch = super()._from_arrow(table, notes)
        if batch.probs.ndim != 3 or batch.embeddings.ndim != 2:
            raise SchemaError(
                f"{cls.topic}: probabilities must be [members, classes] and the embedding [dim] a sample"
            )
        if not all(map(_is_finite, (batch.probs, batch.embeddings, batch.event_times))):
            raise SchemaError(f"{cls.topic}: a probability, embedding or event time that is no finite number")
        return batch


class Shadow(Scores):
    """What a line of models said that is only recorded: as scores, in a topic that nobody acts on."""

    topic: ClassVar[str] = "shadow"


BATCHES: tuple[type[MicroBatch], ...] = (Features, Scores, Shadow)
