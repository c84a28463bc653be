"""What `docker` and `kafka` tests do where their service is missing: skip on a laptop, loudly; fail in CI."""

from __future__ import annotations

import functools
import os
import subprocess

import pytest

REQUIRE_DOCKER = "SIFTSTREAM_REQUIRE_DOCKER"


def in_ci() -> bool:
    """Whether this is a run that must not skip."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@functools.cache
def docker_answers() -> bool:
    """Whether a Docker engine answers within ten seconds."""
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let no docker test run into a missing engine."""
    if item.get_closest_marker("docker") is None or docker_answers():
        return
    if os.environ.get(REQUIRE_DOCKER) == "1":
        pytest.fail(f"no Docker engine answers, and {REQUIRE_DOCKER}=1 says that one must", pytrace=False)
    pytest.skip("no Docker engine answers")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in red what was not shown by this run."""
    skipped = terminalreporter.stats.get("skipped", [])
    for service in ("docker", "kafka"):
        count = sum(service in report.keywords for report in skipped)
        if count:
            line = f"NOT SHOWN by this run: {count} {service} tests were skipped, their service is missing"
            terminalreporter.write_line(line, red=True, bold=True)
