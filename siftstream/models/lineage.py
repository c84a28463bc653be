"""Lineage: what made a version, so that it can be explained and made again; a JSON beside its files."""

import gzip
import io
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from siftstream.schemas.errors import ModelError

SUFFIX: Final = ".json.gz"
_MOST: Final = 4 << 30  # bytes unpacked: 4 * 10^7 labels; a file of a few bytes may not unpack to more


class Lineage(BaseModel):
    """The labels, settings and code that a version is of; N rows, held-out and audited ones too.

    >>> from siftstream.schemas import Artifact
    >>> made = Lineage(line="main", version="v1", classes=("a", "b"), settings={}, code={}, trained_at=0.0,
    ...     ids=("s1", "s2"), targets=(0, 1))
    >>> Lineage.from_bytes(made.to_bytes()) == made
    True
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    line: str
    version: str
    parent: str | None = None
    classes: tuple[str, ...]
    settings: dict[str, Any] = Field(description="retrain.train, as it was.")
    encoder: str | None = Field(
        default=None, description="SHA-256 of the frozen encoder (head), or of the weights it began with."
    )
    code: dict[str, str] = Field(description="Versions of siftstream and of what computes: torch and so on.")
    trained_at: float = Field(description="Seconds since the epoch, from which labels' ages were counted.")
    upto: tuple[int, ...] = Field(default=(), description="Offsets in `labelled`, a partition each.")
    ids: tuple[str, ...] = ()
    partitions: tuple[int, ...] = ()
    offsets: tuple[int, ...] = Field(default=(), description="The label's version; -1: a pseudo-label.")
    targets: tuple[int, ...] = Field(default=(), description="Places in `classes`.")
    weights: tuple[float, ...] = ()
    slices: tuple[int, ...] = Field(default=(), description="0 train, 1 holdout, 2 audit.")
    uris: dict[str, str] = Field(
        default_factory=dict, description="Of pseudo-labels by id: no record of `labelled` names them."
    )

    def to_bytes(self) -> bytes:
        """Return it as gzipped JSON, the same bytes for the same lineage: about 24 bytes a label."""
        return gzip.compress(self.model_dump_json(exclude_none=True).encode(), compresslevel=1, mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read one.

        Raises:
            ModelError: it is none.
        """
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                text = file.read(_MOST)
            return cls.model_validate_json(text)
        except (OSError, EOFError, ValidationError) as error:
            first = str(error).strip().splitlines()[0]
            raise ModelError(
                f"lineage: cannot be read ({first}); what made the version is not known"
            ) from None
