"""The command line that starts a Java class of Kafka: small, quick to start, quiet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from siftstream.streams.broker.java import Java, clean_environment

HEAP = "384m"
FLAGS = (
    f"-Xmx{HEAP}",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # no shared file in the temporary folder
    "-Xlog:all=error",  # no remarks about archives; errors go to the log
    "-Djava.awt.headless=true",
    "-Dlog4j2.configurationFile=log4j2.yaml",
)
QUIET_SINCE_24 = ("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED")


@dataclass(frozen=True)
class Jvm:
    """A Java and the class path of Kafka."""

    java: Java
    jars: Sequence[Path]

    @property
    def classpath(self) -> str:
        """The jars as `-cp` wants them; class archives hold for this very string."""
        return ":".join(map(str, self.jars))

    def command(self, flags: Sequence[str], *main: str) -> list[str]:
        """Return the command that runs the class `main[0]` with its arguments."""
        quiet = QUIET_SINCE_24 if self.java.major >= 24 else ()
        return [str(self.java.path), *FLAGS, *quiet, *flags, "-cp", self.classpath, *main]


def environment() -> dict[str, str]:
    """Return the JVM's environment: ours, with UTF-8 file names and without what changes every JVM."""
    return {**clean_environment(), "LC_ALL": "C.UTF-8"}
