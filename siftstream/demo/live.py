"""What one sees while it runs: a live view on a terminal, a plain line now and then elsewhere."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from siftstream.demo.board import Board
from siftstream.demo.result import TARGET, Point, percent

PLAIN_EVERY_S = 4.0
SHOWN_VERSIONS = 10
_BAR = 24  # characters from the scale's lowest accuracy to 100 %
_FROM = 0.5


@contextmanager
def shown(console: Console, board: Board) -> Generator[None]:
    """Show the board until the block ends, and its last state at the end."""
    board.began = time.monotonic()
    if console.is_terminal:
        with Live(get_renderable=lambda: render(board), console=console, refresh_per_second=4):
            yield
    else:
        with plain_lines(console, board):
            yield


@contextmanager
def plain_lines(console: Console, board: Board) -> Generator[None]:
    """Print a line every few seconds from a thread."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(PLAIN_EVERY_S):
            console.print(line(board), markup=False)

    teller = threading.Thread(target=tell, name="demo-lines")
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
        console.print(line(board), markup=False)


def line(board: Board) -> str:
    """The board in one line."""
    result, last = board.result, board.result.points[-1] if board.result.points else None
    lag = " ".join(f"{name} {now.rate:.0f}/s+{now.lag}" for name, now in board.stages.items())
    live = "no model yet"
    if last is not None:
        live = f"live {last.version} {percent(last.accuracy)} with {last.labels} labels"
    if last is not None and (chance := result.baseline.at(last.labels)) is not None:
        live += f" (random {percent(chance)})"
    return (
        f"{time.monotonic() - board.began:5.0f} s  pushed {result.pushed}/{result.images}"
        f"  selected {board.selected}  labelled {result.labelled}  {live}  |  {lag}"
    )


def render(board: Board) -> RenderableType:
    """The board as tables: the stream, the stages, the versions."""
    return Group(_stream(board), Padding(_stages(board), (1, 0)), _versions(board), _footer(board))


def _stream(board: Board) -> RenderableType:
    result, grid = board.result, Table.grid(padding=(0, 2))
    grid.add_row(
        Text(f"{time.monotonic() - board.began:4.0f} s", style="bold"),
        ProgressBar(total=max(1, result.images), completed=result.pushed, width=32, complete_style="cyan"),
        f"{result.pushed}/{result.images} pushed",
        f"{board.rows} in windows",
        Text(f"{board.selected} selected", style="cyan"),
        Text(f"{result.labelled} labelled", style="green"),
    )
    return grid


def _stages(board: Board) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for name, justify in (("stage", "left"), ("a second", "right"), ("waiting", "right"), ("done", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("of what", style="dim")
    table.add_column("MiB", justify="right", style="dim")
    for figures in board.result.stages:
        now = board.stages[figures.name]
        lag = Text(str(now.lag), style="yellow" if now.lag > 50 else "")
        memory = f"{now.memory:.0f}"
        table.add_row(figures.name, f"{now.rate:.1f}", lag, str(now.done), figures.what, memory)
    return table


def _versions(board: Board) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("live model")
    table.add_column("labels", justify="right")
    table.add_column("on 400 held-out images", min_width=_BAR + 8)
    table.add_column("random, same labels", justify="right", style="dim")
    for point in board.result.points[-SHOWN_VERSIONS:]:
        chance = board.result.baseline.at(point.labels)
        table.add_row(point.version, str(point.labels), _bar(point), percent(chance) if chance else "...")
    return table


def _bar(point: Point) -> Text:
    filled = round(_BAR * max(0.0, point.accuracy - _FROM) / (1 - _FROM))
    style = "green" if point.accuracy >= TARGET else "cyan"
    return Text("█" * filled, style=style).append(f" {percent(point.accuracy)}", style="bold")


def _footer(board: Board) -> RenderableType:
    baseline = board.result.baseline
    trained = f"trained up to {baseline.counts[-1]} labels" if baseline.counts else "starting"
    words = f"random choice: offline, in a process beside it, {baseline.seeds} seeds, {trained}"
    lines = [Text(words, style="dim")]
    lines += [Text(note, style="yellow") for note in board.notes]
    return Group(*lines)
