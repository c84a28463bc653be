"""`siftstream train`: begin a training run now, and tell what came of it."""

import time
from collections.abc import Container, Generator, Iterable
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.options import Config
from siftstream.schemas import Action, Cause, Command, ModelVersion, TrainingRun, VersionStatus
from siftstream.schemas.errors import UnavailableError
from siftstream.settings import Settings

LOOK_EVERY_S = 0.3


def train(
    supersede: Annotated[
        bool, typer.Option("--supersede", help="Stop runs under way and begin with all labels.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until a version has come of it, and show its verdict.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait at most, with --wait.")] = 3600.0,
    why: Annotated[str, typer.Option(help="A sentence, which the log keeps.")] = "",
    config: Config = None,
) -> None:
    """Train now, with all labels there are, however few of them are new."""
    from siftstream.cli.writing import write_event

    settings = settings_with_cluster(config)
    command = Command(line=settings.model.line, action=Action.TRAIN, supersede=supersede, why=why)
    write_event(settings, command, "command")
    console = Console(highlight=False, soft_wrap=True)
    if not wait:
        console.print("asked for: the next free trainer begins; `siftstream status` shows how far it is")
        return
    version = version_for(settings, command, timeout, console)
    console.print(f"{version.version} is {version.status}: {version.reason}", markup=False)
    console.print(f"`siftstream models show {version.version}` shows more")
    if version.status is VersionStatus.FAILED:
        raise typer.Exit(1)


def version_for(settings: Settings, command: Command, timeout: float, console: Console) -> ModelVersion:
    """Return the version that came of a command, as soon as it is published; runs are told as they begin.

    Raises:
        UnavailableError: none within `timeout` seconds, or the cluster does not answer.
    """
    deadline, answers = time.monotonic() + timeout, {command.command_id}
    told: set[str] = set()
    with _logs(settings) as (runs, versions, commands):
        while True:
            answers |= {said.command_id for said in commands() if said.key == command.key}
            found = answering(settings.model.line, runs(), answers)
            for run in found:
                if run.version not in told and (run is found[0] or run.cause is Cause.AGAIN):
                    console.print(f"{run.trainer} trains {run.version} on {run.labels:,} labels")
                told.add(run.version)
            made = {version.key: version for version in versions() if not version.killed}
            if found and (version := next((made[run.key] for run in found if run.key in made), None)):
                return version
            if time.monotonic() > deadline:
                raise UnavailableError(_late(found, timeout))
            time.sleep(LOOK_EVERY_S)


def answering(line: str, records: Iterable[TrainingRun], commands: Container[str]) -> list[TrainingRun]:
    """Return the run that answers a command, and those granted after it: they know as many labels.

    Args:
        line: Whose runs.
        records: The latest record of each run, in the order of the log.
        commands: The command's id, and those of later ones, for which the same holds.

    >>> facts = {"line": "main", "trainer": "r"}
    >>> early, killed = TrainingRun(version="r-1", **facts), TrainingRun(
    ...     version="r-2", after="r-1", state="failed", cause="command", token="c1", **facts)
    >>> again = TrainingRun(version="r-3", after="r-2", cause="again", token="r-2", **facts)
    >>> [run.version for run in answering("main", [early, killed, again], {"c1"})]
    ['r-2', 'r-3']
    """
    from siftstream.agents.retrain.runs import Runs

    runs = Runs(line)
    for record in records:
        runs.hear(record)
    found: list[TrainingRun] = []
    for run in reversed(list(runs.back_from(runs.last.version if runs.last else None))):
        if found or (run.cause is Cause.COMMAND and run.token in commands):
            found.append(run)
    return found


@contextmanager
def _logs(settings: Settings) -> Generator[tuple[Any, Any, Any]]:
    """Give what reads the latest records of runs, of versions and of commands."""
    from kafka import KafkaConsumer
    from kafka.errors import KafkaError
    from kafka.structs import TopicPartition

    from siftstream.streams.latest import Latest

    names = {kind: settings.pipeline.topic(kind.topic) for kind in (TrainingRun, ModelVersion, Command)}
    latest: dict[Any, Any] = {kind: Latest(kind, name) for kind, name in names.items()}
    try:
        consumer: Any = KafkaConsumer(enable_auto_commit=False, **settings.kafka.client_options())
        try:

            def read(kind: Any) -> Any:
                return latest[kind].read(consumer, consumer.end_offsets([TopicPartition(names[kind], 0)]))

            yield lambda: read(TrainingRun), lambda: read(ModelVersion), lambda: read(Command)
        finally:
            consumer.close()
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {settings.kafka.bootstrap_servers} does not answer: {error}; the command is written,"
            " `siftstream status` shows what comes of it"
        ) from error


def _late(found: list[TrainingRun], timeout: float) -> str:
    if not found:
        return (
            f"no trainer began within {timeout:g} s: `siftstream status` shows whether one runs; the first"
            " run needs retrain.min_labels labels. The command stays, and is answered when one can"
        )
    last = found[-1]
    return f"{last.version} is {last.state} and has no version after {timeout:g} s; it goes on without us"
