"""What fetch may load, how hard it tries, how it packs micro-batches, and the shape of what it makes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from siftstream.schemas import MAX_SAMPLES

Scheme = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*$")]


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
        description="Host names (or literal addresses) that http may reach although they are private,"
        " loopback or link-local, such as `minio.internal`. Every other such address is refused.",
    )
    in_flight: int = Field(default=256, ge=1, description="Loads at once in one worker.")
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
        description="Most tensor bytes in one micro-batch; stay below the broker's `message.max.bytes`.",
    )
    linger: float = Field(
        default=0.2, ge=0, description="Seconds the oldest sample of a micro-batch may wait for others."
    )
    decode_threads: int = Field(default=2, ge=1, description="Threads that decode and resize.")

    @field_validator("schemes", "allow_private_addresses", mode="before")
    @classmethod
    def _lower(cls, values: object) -> object:
        return [str(v).lower() for v in values] if isinstance(values, list | tuple) else values


class TransformSettings(BaseModel):
    """The transform: what bytes become before the model sees them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(
        default="image",
        description="Name of the transform: `image`, or a plug-in's (`siftstream.transforms`).",
    )
    height: int = Field(default=32, ge=1, le=8192, description="Height of the output, in pixels.")
    width: int = Field(default=32, ge=1, le=8192, description="Width of the output, in pixels.")
    channels: Literal[1, 3] = Field(default=3, description="1 for grey, 3 for RGB.")
    resize: Literal["squash", "pad", "crop"] = Field(
        default="squash",
        description="`squash` ignores the aspect ratio; `pad` fits the whole image in and fills with black;"
        " `crop` fills the output and cuts what stands over, around the centre.",
    )
    max_pixels: int = Field(
        default=64_000_000,
        ge=1,
        le=178_956_970,  # Pillow's own limit
        description="Largest image, in pixels before resizing; larger ones are refused unread.",
    )
