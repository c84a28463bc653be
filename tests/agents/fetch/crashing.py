"""A transform that does on demand all that a transform must not do: to see that the fuzzer sees it."""

import ctypes
import threading
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from siftstream.agents.fetch.transforms import Transform
from siftstream.schemas.arrays import ArraySpec
from siftstream.schemas.errors import TransformError


class NoSettings(BaseModel):
    """It has none."""


class Crashing(Transform):
    """One byte, unless the input says what else."""

    Settings = NoSettings
    specs = {"x": ArraySpec((1,), np.dtype(np.uint8))}  # noqa: RUF012

    def __call__(self, data: bytes) -> dict[str, Any]:
        if data == b"segfault":
            ctypes.string_at(0)
        if data == b"hang":
            threading.Event().wait()
        if data == b"escape":
            raise KeyError("escaped")
        if data == b"refuse":
            raise TransformError("refused")
        if data == b"hoard":
            try:
                bytes(2**33)
            except MemoryError as error:
                raise TransformError("hoarded") from error
        if data == b"grow":
            bytearray(b"x") * 50_000_000
        return {"x": np.zeros(2 if data == b"shape" else 1, np.uint8)}


def crashing(kind: str, folder: Path) -> list[Transform]:
    """Return it, as `samples.transforms` does the good ones."""
    return [Crashing(NoSettings())]
