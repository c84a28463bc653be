"""What fetch may load, how hard it tries, what it keeps, and how it packs micro-batches."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from siftstream.schemas import MAX_SAMPLES

Scheme = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*$")]


class CacheSettings(BaseModel):
    """The disk cache of loaded objects: fetch, retraining and re-scoring read through the same one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(
        default=1024**3,
        ge=0,
        description="Most bytes on disk, the least recently used go first; 0: no cache.",
    )
    folder: str = Field(default="", description="Where it lies; empty: `cache` in the folder `state`.")
    fresh: float = Field(
        default=3600.0,
        ge=0,
        description="Seconds for which a copy is used without asking its server; after that it is asked"
        " whether the copy still holds (ETag, Last-Modified), where it can tell.",
    )


class FetchSettings(BaseModel):
    """The fetch stage: loading, its guards, and the micro-batches it sends.

    >>> FetchSettings(schemes=("https",)).attempts
    4
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schemes: tuple[Scheme, ...] = Field(
        default=("file", "http", "https", "data", "s3"),
        min_length=1,
        description="URI schemes that may be loaded; a bare path counts as `file`.",
    )
    file_roots: tuple[str, ...] = Field(
        default=(),
        description="Folders that `file` URIs must lie in after links are resolved. Empty: any file that this"
        " process can read; set it, or drop `file` from `schemes`, where producers are not trusted.",
    )
    allow_private_addresses: tuple[str, ...] = Field(
        default=(),
        description="Host names (or literal addresses) that http, ftp and sftp may reach although they are"
        " private, loopback or link-local, such as `minio.internal`. Every other such address is refused. A"
        " driver that connects by itself (smb, webhdfs) reaches no host that is not named here.",
    )
    in_flight: int = Field(default=256, ge=1, description="Loads at once in one worker.")
    in_flight_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1,
        description="Bytes of loaded objects that one worker holds at once, until they are transformed;"
        " loads beyond it wait. One object more may be held, whatever its size.",
    )
    in_hand: int = Field(
        default=2048,
        ge=1,
        description="Samples read from Kafka and not finished, in one worker; more are not read before.",
    )
    per_host: int = Field(default=16, ge=1, description="Loads at once from one host or bucket.")
    timeout: float = Field(
        default=60.0,
        gt=0,
        description="Seconds for one object, all attempts and waits between them included.",
    )
    chunk_timeout: float = Field(
        default=15.0, gt=0, description="Seconds to connect, and between two chunks of one object."
    )
    max_bytes: int = Field(default=64 * 1024 * 1024, ge=1, description="Largest object, in bytes.")
    max_redirects: int = Field(default=5, ge=0, description="HTTP redirects followed for one object.")
    attempts: int = Field(
        default=4,
        ge=1,
        description="Tries in all while the failure is a passing one (a 503, a dropped line).",
    )
    backoff: float = Field(
        default=0.5,
        ge=0,
        description="Seconds before the second try; doubles each time, plus as much jitter.",
    )
    backoff_max: float = Field(default=10.0, ge=0, description="Longest wait between two tries, in seconds.")
    micro_batch: int = Field(
        default=128, ge=1, le=MAX_SAMPLES, description="Most samples in one micro-batch of `features`."
    )
    micro_batch_bytes: int = Field(
        default=768 * 1024,
        ge=1,
        le=7 * 1024 * 1024,  # with ids and framing below what a record may be (streams/transport.py)
        description="Most tensor bytes in one micro-batch; stay below the broker's `message.max.bytes`.",
    )
    linger: float = Field(
        default=0.2,
        ge=0,
        description="Seconds the oldest sample of a micro-batch may wait for others that are under way.",
    )
    decode_threads: int = Field(
        default=2, ge=1, description="Threads that read local files, decode and transform."
    )
    max_archive_depth: int = Field(
        default=1,
        ge=0,
        description="Archives within archives that a URI may reach into (`zip://member::URI`); 0: none.",
    )
    dedup: Literal["none", "id", "content"] = Field(
        default="id",
        description="What is passed on once within the horizon, in one worker: the same `sample_id`, with"
        " `content` also the same bytes under another URI; `none` passes everything on.",
    )
    dedup_horizon: int = Field(
        default=100_000, ge=1, description="How many samples back a duplicate is recognised."
    )
    cache: CacheSettings = Field(default=CacheSettings(), description="The disk cache of loaded objects.")

    @field_validator("schemes", "allow_private_addresses", mode="before")
    @classmethod
    def _lower(cls, values: object) -> object:
        return [str(v).lower() for v in values] if isinstance(values, list | tuple) else values
