"""All that a first start needs, made once: Java found, jars fetched, class archive trained.

`python -m siftstream.streams.broker.prepare` does it ahead of time, as a step of an installation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from siftstream.streams.broker.archive import Train, archive_flags
from siftstream.streams.broker.jars import classpath
from siftstream.streams.broker.java import find_java
from siftstream.streams.broker.jvm import Jvm


@dataclass(frozen=True)
class Prepared:
    """What starts a broker: the JVM and the flags that use its class archive."""

    jvm: Jvm
    flags: Sequence[str]


def prepare(train: Callable[[Jvm], Train], tell: Callable[[str], None]) -> Prepared:
    """Find or make everything; `tell` hears what takes seconds, `train(jvm)` runs a broker for the archive.

    Raises BrokerError where Java or the jars cannot be had.
    """
    java = find_java()
    jvm = Jvm(java, classpath(tell))
    return Prepared(jvm, archive_flags(jvm, train(jvm), tell))


if __name__ == "__main__":
    from siftstream.streams.broker.local import train_with

    prepare(train_with, print)
