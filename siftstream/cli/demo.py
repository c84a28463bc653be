"""`siftstream demo`: the whole loop on this machine, with a report at its end."""

import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from siftstream.cli.broker import stop_as_by_ctrl_c
from siftstream.cli.told import fail
from siftstream.demo.live import shown
from siftstream.demo.plan import Plan
from siftstream.demo.report import write_report
from siftstream.demo.story import Story


def demo(
    out: Annotated[Path, typer.Option(help="Folder of data, state and report; cleared first.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Decides the split, the order and all chance.")] = 0,
    fast: Annotated[
        bool, typer.Option("--fast", help="Half a minute: fewer images, no full comparison.")
    ] = False,
) -> None:
    """The whole loop on this machine: watch a model get better."""
    console = Console(highlight=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, stop_as_by_ctrl_c)
    plan = Plan.fast(out, seed) if fast else Plan.whole(out, seed)
    story = Story(plan, lambda words: console.print(words, markup=False), lambda board: shown(console, board))
    result = story.run()
    if result.images:
        write_report(result, plan.out)
        console.print(f"\nReport: {plan.out / 'report.html'}", markup=False)
    if result.first_selected is not None:
        console.print(
            f"First sample selected {result.first_selected:.1f} s after Kafka's start began;", end=" "
        )
        console.print(f"{result.after_setup:.0f} s after set-up, {result.seconds:.0f} s in all.")
    if result.failure:
        fail(result.failure)
    if not result.stopped and not result.turned():
        fail(
            f"the loop did not turn: {len(result.points)} live models;"
            f" see the logs in {plan.out / 'state' / 'logs'}"
        )
    for sentence in result.sentences():
        console.print(sentence, markup=False)
    if result.stopped:
        raise typer.Exit(130)
