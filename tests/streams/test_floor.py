"""The floor: what is committed instead of the position outlives the worker, with its metadata."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.streams.workers import Workers, wait_for

pytestmark = pytest.mark.kafka


def test_a_floor_and_its_metadata_survive_a_kill_and_are_read_back(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    with Workers(broker, topic_prefix, tmp_path, "floor") as stage:
        stage.start("one")
        stage.put([str(number) for number in range(11)])
        wait_for(lambda: stage.committed() == (5, "head 10"), "the floor of ten records")
        assert stage.said("one", "restored") == ["restored None  first 0"]
        stage.end("one", signal.SIGKILL)
        stage.start("one")
        wait_for(lambda: len(stage.said("one", "restored")) == 2, "a second life")
        assert stage.said("one", "restored")[1] == "restored 5 head 10 first 5"
        stage.put(["11"])
        wait_for(lambda: stage.committed() == (5, "head 11"), "metadata that moved while the floor stood")
