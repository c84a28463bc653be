"""The bytes of an archive as a file object, which refuses to read too many of them at once."""

import io
import os
from typing import Any, Final

from siftstream.schemas.errors import RefusedError

DIRECTORY: Final = 16 << 20  # bytes of a zip's directory, the largest thing that is read at once


class Source(io.RawIOBase):
    """The archive's bytes, in memory or in an open file, which closes with the last reference."""

    def __init__(self, where: bytes | int) -> None:
        super().__init__()
        self.most = DIRECTORY  # bytes read at once
        if isinstance(where, bytes):
            self._descriptor, self._data = -1, where
            self.size, self.stamp = len(where), ()
        else:
            self._descriptor, self._data = where, b""
            found = os.fstat(where)
            self.size = found.st_size
            self.stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        self.held = len(self._data)  # bytes of memory
        self._at = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes; refuse what no honest archive asks for."""
        size = self.size - self._at if size is None or size < 0 else size
        if size > self.most:
            raise RefusedError(f"a directory or header of the archive is larger than {self.most:,} bytes")
        data = self.at(self._at, size)
        self._at += len(data)
        return data

    def at(self, offset: int, size: int) -> bytes:
        """Return the bytes at an offset; for several threads at once."""
        if self._descriptor < 0:
            return self._data[offset : offset + size]
        return os.pread(self._descriptor, size, offset)

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to an offset."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return the offset."""
        return self._at

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def readable(self) -> bool:
        """Say yes."""
        return True

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = getattr(self, "_descriptor", -1), -1
        if descriptor >= 0:
            os.close(descriptor)
        super().close()
