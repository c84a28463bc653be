"""The environments of the others: their pins conflict with ours, so each has its own, made once."""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from siftstream.bench.child import clean, last_words
from siftstream.bench.failed import BenchFailed

OTHERS = Path(__file__).parent / "others"
READY = ".ready"
MADE_WITHIN_S = 900.0
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Environment:
    """Pinned packages beside the scripts; where we have the package `ours` our interpreter serves."""

    requirements: str
    ours: str | None = None

    @property
    def file(self) -> Path:
        """The pins."""
        return OTHERS / self.requirements

    @property
    def reused(self) -> bool:
        """Whether our own interpreter serves."""
        return self.ours is not None and importlib.util.find_spec(self.ours) is not None

    def place(self, folder: Path) -> Path:
        """Return where it lies: another place for other pins or another Python."""
        told = self.file.read_bytes() + sys.version.encode()
        return folder / f"{self.file.stem}-{hashlib.sha256(told).hexdigest()[:12]}"

    def python(self, folder: Path, tell: Tell) -> str:
        """Return its interpreter; made now if it is not there.

        Raises:
            BenchFailed: it cannot be made.
        """
        if self.reused:
            return sys.executable
        place = self.place(folder.expanduser().absolute())
        python = place / "bin" / "python"
        if not (place / READY).exists():
            tell(f"making the environment {place} (once)")
            for command in commands(place, python, self.file):
                run(command)
            (place / READY).touch()
        return str(python)


def commands(place: Path, python: Path, pins: Path) -> list[list[str]]:
    """Return what makes an environment: by uv where there is one, else by venv and pip."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv:
        return [
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)],
            [uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(pins)],
        ]
    return [
        [sys.executable, "-m", "venv", "--clear", str(place)],
        [str(python), "-m", "pip", "install", "--quiet", "-r", str(pins)],
    ]


def run(command: Sequence[str]) -> None:
    """Run a command that makes an environment."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=MADE_WITHIN_S, check=False, env=clean()
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchFailed(f"an environment for {command[-1]} cannot be made: {error}") from error
    if done.returncode:
        raise BenchFailed(
            f"an environment for {command[-1]} cannot be made: {last_words(done.stderr)};"
            " without network, give --environments a folder where they were made before"
        )
