"""The most memory that a process had: Linux keeps it, and forgets it when told to."""

from contextlib import suppress
from pathlib import Path

import psutil


def peak_bytes(process: psutil.Process) -> int:
    """Return the most memory that was resident since the mark; 0 where the system does not say."""
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


def forget_peak(process: psutil.Process) -> None:
    """Let the highest memory of a process begin anew, where the system can."""
    with suppress(OSError):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
