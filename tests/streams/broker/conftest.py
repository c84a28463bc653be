"""A cache of its own for each test, a Java that is a shell script, and waiting with a deadline."""

from collections.abc import Callable
from pathlib import Path

import pytest

from siftstream.streams.broker.java import Java
from siftstream.streams.broker.jvm import Jvm
from siftstream.streams.broker.prepare import Prepared
from siftstream.streams.broker.storage import META


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder; monkeypatch puts the environment back."""
    monkeypatch.setenv("SIFTSTREAM_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "siftstream" / "kafka-4.3.1"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of shell scripts: `script("bin/java", "echo hello")`."""

    def make(name: str, body: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def fake_kafka(cache: Path, script: Callable[..., Path]) -> Callable[[str], Prepared]:
    """Return a maker of prepared brokers whose JVM is a shell script; the template is there already."""
    (cache / "formatted").mkdir()
    (cache / "formatted" / META).write_text("cluster.id=template\ndirectory.id=template\nnode.id=1\n")

    def make(body: str) -> Prepared:
        return Prepared(Jvm(Java(script("fake/java", body), "17.0.1"), []), [])

    return make
