"""`siftstream worker STAGE`: one stage as one process, until SIGTERM or Ctrl-C."""

import asyncio
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from siftstream.cli.cluster import settings_with_cluster
from siftstream.cli.logs import set_up_logging
from siftstream.cli.options import Config, WithParent
from siftstream.cli.told import debugging, fail, sentence
from siftstream.schemas.errors import ConfigError
from siftstream.settings import Settings
from siftstream.streams.lifeline import end_with_parent

STOP_WITHIN_S = 9.0
log = logging.getLogger(__name__)


def worker(
    stage: Annotated[str, typer.Argument(help="fetch, infer, select, consensus or retrain.")],
    config: Config = None,
    instance: Annotated[
        str | None,
        typer.Option(
            help="A name that stays over restarts, such as `infer-0`: its partitions come back at once.",
        ),
    ] = None,
    with_parent: WithParent = False,
) -> None:
    """Run one stage on a cluster, as many workers as you like."""
    if with_parent:
        end_with_parent()
    set_up_logging(instance or stage)
    settings = checked(stage, config)
    reason = asyncio.run(run(stage, settings, instance))
    sys.stdout.flush()
    if reason is not None:
        if debugging():
            raise reason
        fail(f"{instance or stage} ended: {sentence(reason)}", reason)


def checked(stage: str, config: Path | None) -> Settings:
    """Return the configuration, the stage known and the topics there.

    Raises:
        ConfigError: no such stage or a wrong configuration.
        UnavailableError: the cluster does not answer.
    """
    from siftstream.app import STAGES
    from siftstream.streams.topics import ensure_topics, require_partitions

    if stage not in STAGES:
        raise ConfigError(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    settings = settings_with_cluster(config, patient=True)
    for difference in ensure_topics(settings.kafka, settings.pipeline):
        log.warning("%s", difference)
    require_partitions(settings.kafka, settings.pipeline)
    return settings


async def run(stage: str, settings: Settings, instance: str | None) -> BaseException | None:
    """Run the stage until a signal comes or it crashes; return what crashed it."""
    from siftstream.app import build
    from siftstream.streams.memory import settle

    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    app = build(stage, settings, instance=instance)
    starting = asyncio.ensure_future(app.start())
    waiting = asyncio.ensure_future(told_to_stop.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            settle()
            log.info("%s runs on %s", stage, settings.kafka.bootstrap_servers)
            await app.wait_first(waiting)  # or the app's crash
    except Exception as error:
        return app.crash_reason or error
    finally:
        await stop(app, starting, waiting)
    return app.crash_reason


async def stop(app: Any, *tasks: "asyncio.Future[Any]") -> None:
    """Stop in order; what takes longer than the bound ends with the process: the log has it all."""
    log.info("stopping")
    last = threading.Timer(STOP_WITHIN_S, end_now)
    last.daemon = True
    last.start()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        await app.stop()
    except Exception as error:
        log.warning("not stopped in order: %s", sentence(error))
    log.info("stopped")
    last.cancel()


def end_now() -> None:
    """Leave without further ado; what is not committed is read again."""
    log.error("not stopped within %g s: leaving", STOP_WITHIN_S)
    os._exit(1)
