"""Write `pins.py` anew for a newer Kafka: `python -m siftstream.streams.broker.repin`.

jgo resolves each root by itself: resolved together, log4j's dependency management would swap Kafka's own
client library for the old one that log4j's tests use.
"""

import hashlib
import tempfile
from pathlib import Path

from jgo.maven import MavenContext
from jgo.parse import Coordinate

ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")

HEADER = '''"""The jars of the local broker, each with its sha256; written by `repin.py`, not by hand."""

KAFKA_VERSION = "{version}"

JARS = """
{jars}
"""
'''


def resolve(context: MavenContext) -> list[tuple[str, str]]:
    """Return (group:artifact:version, sha256) of every jar that the roots need at run time."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for root in ROOTS:
        inputs, transitive = context.resolver.resolve([context.create_dependency(Coordinate.parse(root))])
        for dependency in [*inputs, *transitive]:
            if dependency.scope not in (None, "compile", "runtime"):
                continue
            artifact = dependency.artifact
            coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            digest = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
            found.setdefault((artifact.groupId, artifact.artifactId), (coordinate, digest))
    return sorted(found.values())


def main() -> None:
    """Resolve, download and hash every jar, then write `pins.py`."""
    with tempfile.TemporaryDirectory() as repository:
        pins = resolve(MavenContext(repo_cache=Path(repository)))
    jars = "\n".join(f"{coordinate}\n    {digest}" for coordinate, digest in pins)
    version = ROOTS[0].rpartition(":")[2]
    Path(__file__).with_name("pins.py").write_text(HEADER.format(version=version, jars=jars))


if __name__ == "__main__":
    main()
