"""`siftstream broker` in the foreground: it says where it listens and ends in order."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from siftstream.cli.broker import broker
from siftstream.streams.broker.probe import accepts

COMMAND = "import typer; from siftstream.cli.broker import broker; typer.run(broker)"


def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(broker)
    return made


def test_an_error_is_one_sentence_and_exit_status_1(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    (tmp_path / "data").write_text("")
    result = CliRunner().invoke(app(), ["--data", str(tmp_path / "data")])
    assert result.exit_code == 1
    assert "cannot be made (File exists): choose another --data." in result.output
    assert "Traceback" not in result.output
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.kafka
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_tells_its_address_and_ends_in_order(how: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "--data", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    line = next(line for line in process.stdout if line.startswith("Kafka listens on"))
    port = int(line.split()[3].rpartition(":")[2])
    assert accepts(port)
    asked = time.monotonic()
    os.killpg(process.pid, how)  # as the terminal does
    assert process.wait(15) == 0
    assert time.monotonic() - asked < 10
    assert "Stopping Kafka" in process.stdout.read()
    process.stdout.close()
    assert not accepts(port)
    assert "terminating" not in (tmp_path / "data" / "broker.log").read_text()


@pytest.mark.kafka
def test_the_command_ends_with_the_reason_when_the_broker_dies(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "--data", str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert any(line.startswith("Kafka listens on") for line in process.stdout)
    import psutil

    keeper = psutil.Process(process.pid).children()[0]
    keeper.children()[0].kill()
    assert process.wait(15) == 1
    assert "The local broker on 127.0.0.1:" in process.stdout.read()
    process.stdout.close()
