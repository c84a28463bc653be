"""`siftstream up`: every stage on this machine, supervised, with a local Kafka where none is configured."""

import asyncio
import signal
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from siftstream.app import STAGES
from siftstream.cli.broker import stop_as_by_ctrl_c
from siftstream.cli.local import keep_alive, local_kafka
from siftstream.cli.options import Config
from siftstream.cli.supervisor import Happening, Process, Supervisor
from siftstream.schemas.errors import ConfigError
from siftstream.settings import Settings, load_settings
from siftstream.settings.check import check
from siftstream.streams.broker import LocalBroker
from siftstream.streams.topics import ensure_topics

COLOURS = {"started": "green", "ended": "yellow", "failed": "red", "stopped": "dim", "killed": "red"}
MOST_REPLICAS = 256


def up(
    config: Config = None,
    replicas: Annotated[
        str, typer.Option(metavar="STAGE=N,...", help="Processes a stage, 1 if not named; 0 leaves it out.")
    ] = "",
    oracle: Annotated[bool, typer.Option("--oracle", help="Run the simulated annotator too.")] = False,
) -> None:
    """Run the whole pipeline on this machine, with a local Kafka where none is configured."""
    console = Console(highlight=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, stop_as_by_ctrl_c)
    settings = load_settings(config)
    check(settings)
    processes = processes_of(replicas, oracle=oracle)

    def tell(words: str) -> None:
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {escape(words)}")

    try:
        with local_kafka(settings, tell) as (settings, broker):
            for difference in ensure_topics(settings.kafka, settings.pipeline):
                tell(f"warning: {difference}")
            greet(console, settings, processes, local=broker is not None)
            asyncio.run(run(console, settings, processes, broker))
    except KeyboardInterrupt:
        tell("stopping")
    tell("stopped")


def processes_of(replicas: str, *, oracle: bool) -> list[Process]:
    """Return the processes that `--replicas` and `--oracle` ask for.

    >>> [process.name for process in processes_of("infer=2,retrain=0", oracle=True)]
    ['fetch-0', 'infer-0', 'infer-1', 'select-0', 'consensus-0', 'oracle']

    Raises:
        ConfigError: no such stage, or no number.
    """
    counts = dict.fromkeys(STAGES, 1)
    for part in filter(None, (part.strip() for part in replicas.split(","))):
        stage, _, number = (word.strip() for word in part.partition("="))
        if stage not in counts:
            raise ConfigError(f"--replicas: there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
        if not number.isdigit() or int(number) > MOST_REPLICAS:
            raise ConfigError(
                f"--replicas: {part!r}: a number from 0 to {MOST_REPLICAS} belongs behind the ="
            )
        counts[stage] = int(number)
    workers = [Process.worker(stage, number) for stage, count in counts.items() for number in range(count)]
    return [*workers, Process.siftstream("oracle", "oracle")] if oracle else workers


def greet(console: Console, settings: Settings, processes: list[Process], *, local: bool) -> None:
    """Say where Kafka is, where the logs are, and what to do in another terminal."""
    where = f"local; records in {settings.state / 'kafka'}" if local else "as configured"
    console.print(f"Kafka on [bold]{settings.kafka.bootstrap_servers}[/] ({where})")
    console.print(f"{', '.join(process.name for process in processes)}; logs in {settings.state / 'logs'}")
    console.print("In another terminal, in this folder and with the same configuration:")
    console.print("  siftstream push FOLDER\n  siftstream tail selected\n  siftstream status --watch")
    console.print("Ctrl-C stops everything.")


async def run(
    console: Console, settings: Settings, processes: list[Process], broker: LocalBroker | None
) -> None:
    """Keep everything alive until a signal comes or something cannot be kept alive."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)

    def show(happening: Happening) -> None:
        colour = COLOURS[happening.kind]
        clock = f"[dim]{time.strftime('%H:%M:%S')}[/]"
        console.print(f"{clock} [{colour}]{happening.name}[/] {escape(happening.words)}")

    def tell(words: str) -> None:
        show(Happening("kafka", "ended", words))

    async with Supervisor(settings, processes, show) as supervisor:
        ways_to_end: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(told_to_stop.wait()),
            asyncio.ensure_future(supervisor.failed()),
            asyncio.ensure_future(keep_alive(broker, tell)),
        ]
        try:
            done, _ = await asyncio.wait(ways_to_end, return_when=asyncio.FIRST_COMPLETED)
            console.print("Stopping", style="dim")
            for ended in done:
                ended.result()
        finally:
            for way in ways_to_end:
                way.cancel()
            await asyncio.gather(*ways_to_end, return_exceptions=True)
