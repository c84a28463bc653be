"""`deploy/compose.yaml`: Kafka, S3 and every stage from our image, driven with plain kafka-python."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deploy.outsider import data_uri, picture, produce, read_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

DEPLOY = Path(__file__).parents[2] / "deploy"
STAGES = ["fetch", "infer", "select", "consensus", "retrain"]
CLASSES = ["cat", "dog"]


class Compose:
    """One project of `docker compose`, apart from any other on this machine."""

    def __init__(self, configuration: Path, port: int) -> None:
        self.bootstrap = f"localhost:{port}"
        self._command = [
            "docker",
            "compose",
            "-f",
            str(DEPLOY / "compose.yaml"),
            "-p",
            f"siftstream-test-{port}",
        ]
        self._environment = os.environ | {
            "KAFKA_PORT": str(port),
            "SIFTSTREAM_YAML": str(configuration),
        }

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self._command, *words], env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"docker compose {' '.join(words)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def states(self) -> dict[str, str]:
        """Return what state each service is in, e.g. `running`."""
        lines = self("ps", "--all", "--format", "json").splitlines()
        return {service["Service"]: service["State"] for service in map(json.loads, lines)}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """Return the whole line, up; it and its volumes are gone afterwards."""
    settings = yaml.safe_load((DEPLOY / "siftstream.yaml").read_text())
    settings["classes"] = CLASSES
    settings["select"] |= {"trigger": {"every": 20}, "budget": {"per_round": 10}}
    settings["retrain"] = {"min_labels": 20, "min_new_labels": 20}
    folder = tmp_path_factory.mktemp("compose")
    configuration = folder / "siftstream.yaml"
    configuration.write_text(yaml.safe_dump(settings))
    configuration.chmod(0o644)  # the containers' user reads it
    compose = Compose(configuration, free_port())
    try:
        compose("up", "--build", "--detach", "--quiet-pull")
        yield compose
    finally:
        print(
            compose("logs", "--no-color", "--tail", "30", *STAGES, "topics", "bucket")
        )  # pytest shows it with a failure
        compose("down", "--volumes", "--timeout", "15")


@pytest.fixture(scope="module")
def selected(line: Compose) -> list[dict[str, object]]:
    """Return what was selected of 200 pictures."""
    produce(
        line.bootstrap, "data-uris", ({"uri": data_uri(picture(n)), "sample_id": f"p{n}"} for n in range(200))
    )
    return read_until(line.bootstrap, "selected", lambda events: len(events) >= 40)


def test_uris_go_in_and_selected_samples_come_out(selected: list[dict[str, object]]) -> None:
    ids = [event["sample_id"] for event in selected]
    assert len(set(ids)) == len(ids)
    assert set(ids) <= {f"p{n}" for n in range(200)}


def test_labels_come_back_as_a_live_model(line: Compose, selected: list[dict[str, object]]) -> None:
    produce(
        line.bootstrap,
        "labels",
        (
            {"sample_id": chosen["sample_id"], "annotator": "ann", "label": CLASSES[n % 2]}
            for n, chosen in enumerate(selected)
        ),
    )
    models = read_until(line.bootstrap, "models", bool)
    assert models[0]["status"] == "live", models[0]["reason"]
    assert str(models[0]["head"]).count("s3://siftstream/models") == 1


def test_a_uri_to_nowhere_ends_in_dead_letters_and_the_line_goes_on(line: Compose) -> None:
    produce(line.bootstrap, "data-uris", [{"uri": "data:image/png;base64,AAAA", "sample_id": "broken"}])
    letters = read_until(line.bootstrap, "dead-letters", bool)
    assert letters[0]["sample_id"] == "broken"


@pytest.mark.usefixtures("selected")
def test_every_stage_is_up_and_what_runs_once_has_ended_well(line: Compose) -> None:
    states = line.states()
    assert [states[stage] for stage in STAGES] == ["running"] * len(STAGES), states
    assert states["topics"] == states["bucket"] == "exited"
