"""The rules for strategies, each a function that raises AssertionError with a sentence."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, TypeAlias

import numpy as np

from siftstream.schemas.errors import StrategyError
from siftstream.strategies import blocks
from siftstream.strategies.conformance.windows import constant_window, make_window
from siftstream.strategies.needs import Need
from siftstream.strategies.selection import Selection
from siftstream.strategies.strategy import Family, Strategy, parameters_of
from siftstream.strategies.window import Window

Answer: TypeAlias = tuple[list[int], list[float]]


def check_strategy(strategy: Strategy) -> None:
    """Hold a strategy to every rule.

    Raises:
        AssertionError: the rule that it breaks, and how.
    """
    for rule in RULES:
        rule(strategy)


def must(holds: bool, sentence: str) -> None:
    """Raise AssertionError with the sentence unless it holds; `python -O` changes nothing."""
    if not holds:
        raise AssertionError(sentence)


def answer(strategy: Strategy, window: Window, k: int, seed: int = 7) -> Answer:
    """Let it select, and hold the answer to what every answer must be: k rows, finite, best first."""
    chosen = strategy.select(window, k, np.random.default_rng(seed))
    must(isinstance(chosen, Selection), f"select returned {type(chosen).__name__}, no Selection")
    must(chosen.indices.dtype == np.int64, f"indices are {chosen.indices.dtype}, not int64")
    must(chosen.scores.dtype == np.float64, f"scores are {chosen.scores.dtype}, not float64")
    rows, scores = chosen.indices.tolist(), chosen.scores.tolist()
    asked = min(k, len(window))
    must(len(rows) == len(scores) == asked, f"{len(rows)} rows and {len(scores)} scores, {asked} asked for")
    must(len(set(rows)) == len(rows), f"a row twice: {rows}")
    must(all(0 <= row < len(window) for row in rows), f"rows outside the window of {len(window)}: {rows}")
    must(bool(np.isfinite(chosen.scores).all()), f"scores that are no numbers: {scores}")
    must(scores == sorted(scores, reverse=True), f"scores that do not descend: {scores}")
    return rows, scores


def it_says_what_it_is(strategy: Strategy) -> None:
    """Name, family, needs, cost, use and source are said, and each parameter is described."""
    kind = type(strategy)
    for word in ("name", "cost", "when", "source"):
        said = getattr(kind, word, None)
        must(isinstance(said, str) and bool(said.strip()), f"{kind.__name__}.{word} is not said")
    must(isinstance(kind.family, Family), f"{kind.__name__}.family is no Family")
    must(all(isinstance(need, Need) for need in kind.needs), f"{kind.__name__}.needs holds what is no Need")
    must(kind.needs <= strategy.reads, f"{strategy.name} reads less than it needs")
    must(bool(kind.__doc__), f"{kind.__name__} has no docstring")
    for name, parameter in parameters_of(kind).items():
        must(bool(parameter.description), f"parameter {name} has no description")


def any_k_is_answered(strategy: Strategy) -> None:
    """From none to more than the window holds; with and without covered rows, in float16 too."""
    for seed, (size, covered) in enumerate([(1, 0), (2, 1), (7, 0), (23, 5), (40, 0)]):
        for dtype in (np.float32, np.float16, np.float64):
            window = make_window(seed, size, covered=covered, dtype=dtype)
            for k in (0, 1, size // 2, size, size + 9):
                answer(strategy, window, k)


def nothing_gives_nothing(strategy: Strategy) -> None:
    """An empty window gives no rows; a negative k is refused."""
    must(answer(strategy, make_window(0, 0), 3) == ([], []), "an empty window gave rows")
    try:
        strategy.select(make_window(0, 5), -1, np.random.default_rng(0))
    except StrategyError as error:
        must("-1" in str(error), f"the refusal of k = -1 does not name it: {error}")
    else:
        must(False, "k = -1 was not refused")


def the_seed_decides(strategy: Strategy) -> None:
    """The same window, k and seed give the same answer."""
    for seed in range(4):
        window = make_window(seed, 30, covered=seed)
        first, second = (answer(strategy, window, 9, seed) for _ in range(2))
        must(first == second, f"two answers to one question: {first} and {second}")


def permuting_permutes(strategy: Strategy) -> None:
    """Rows in another order give the same samples in the same order with the same scores."""
    for seed in range(6):
        window = make_window(seed, 31, covered=seed % 3)
        order = np.random.default_rng(seed).permutation(31)
        rows, scores = answer(strategy, window, 10)
        moved, moved_scores = answer(strategy, window.rows(order), 10)
        must(order[moved].tolist() == rows, f"permuted rows gave {order[moved].tolist()} for {rows}")
        must(moved_scores == scores, f"permuted rows gave scores {moved_scores} for {scores}")


def ties_go_by_the_seed(strategy: Strategy) -> None:
    """Among samples that are all alike, another seed begins with another one."""
    window = constant_window(0.25, 12)
    first = {answer(strategy, window, 3, seed)[0][0] for seed in range(16)}
    must(len(first) > 1, f"16 seeds all began with row {first} of twelve equal ones")


def blocks_do_not_show(strategy: Strategy) -> None:
    """Work split in the smallest blocks gives the same answer."""
    for seed in range(3):
        window = make_window(seed, 37, covered=4)
        whole = answer(strategy, window, 11)
        for values in (1, 64):
            with blocks_of(values):
                split = answer(strategy, window, 11)
            must(split == whole, f"in blocks of {values} values {split}, in one {whole}")


def degenerate_windows_are_answered(strategy: Strategy) -> None:
    """Zeros, ones, one class, one member, one row, equal embeddings, everything covered."""
    for value in (0.0, 0.25, 1.0):
        for dtype in (np.float32, np.float16):
            for covered in (0, 3):
                rows, _ = answer(strategy, constant_window(value, 6, covered=covered, dtype=dtype), 9)
                must(sorted(rows) == list(range(6)), f"of six equal rows it gave {rows}")
    answer(strategy, make_window(1, 9, classes=1), 4)
    answer(strategy, make_window(2, 9, dim=1), 4)
    answer(strategy, make_window(3, 9, labelled=1), 4)
    if Need.MEMBERS not in strategy.reads:
        answer(strategy, make_window(4, 9, members=1), 4)
    window = make_window(5, 9)
    answer(strategy, window.but(covered_ND=window.emb_BD), 9)


def inputs_are_not_written_to(strategy: Strategy) -> None:
    """What was handed in is the same afterwards."""
    rng = np.random.default_rng(0)
    probs, emb = rng.dirichlet(np.ones(4), (20, 3)).astype(np.float32), rng.normal(size=(20, 6))
    whole = make_window(0, 20, covered=3)
    window = Window(
        probs, emb, np.array(whole.covered_ND), keys_B=whole.keys_B, metadata=whole.metadata,
        columns=whole.columns, tokens=whole.tokens, labelled=whole.labelled, head=whole.head,
    )  # fmt: skip
    before = probs.copy(), emb.copy(), window.covered_ND.copy()
    answer(strategy, window, 8)
    for was, array in zip(before, (probs, emb, window.covered_ND), strict=True):
        must(bool((was == array).all()), "an input was written to")
    must(probs.flags.writeable and emb.flags.writeable, "an input was made read-only for its owner")


def what_it_lacks_is_refused(strategy: Strategy) -> None:
    """Each need that a window lacks is named in a refusal; what it does not need, it does not miss."""
    for need in Need:
        window = make_window(0, 8, without=need)
        lacks = [read for read in strategy.reads if not window.has(read)]
        try:
            strategy.select(window, 2, np.random.default_rng(0))
        except StrategyError as error:
            must(bool(lacks), f"it refused a window without {need}, which it does not say it needs: {error}")
            must(any(read in str(error) for read in lacks), f"the refusal does not name {lacks}: {error}")
        except Exception as error:  # whatever it trips over
            must(False, f"without {need} it failed instead of refusing: {error!r}")
        else:
            must(not lacks, f"it took a window without {', '.join(lacks)}, which it says it needs")


def a_smaller_k_is_the_head_of_a_larger_one(strategy: Strategy) -> None:
    """Where a strategy says so."""
    if not strategy.nested:
        return
    for seed in range(3):
        window = make_window(seed, 20, covered=2)
        most, _ = answer(strategy, window, 20)
        for k in (1, 7, 19):
            fewer, _ = answer(strategy, window, k)
            must(fewer == most[:k], f"k = {k} gave {fewer}, the head of k = 20 is {most[:k]}")


@contextmanager
def blocks_of(values: int) -> Generator[None]:
    """Let blocks hold so many values for a while."""
    before = blocks.BLOCK_VALUES
    blocks.BLOCK_VALUES = values
    try:
        yield
    finally:
        blocks.BLOCK_VALUES = before


RULES: Final = (
    it_says_what_it_is,
    any_k_is_answered,
    nothing_gives_nothing,
    the_seed_decides,
    permuting_permutes,
    ties_go_by_the_seed,
    blocks_do_not_show,
    degenerate_windows_are_answered,
    inputs_are_not_written_to,
    what_it_lacks_is_refused,
    a_smaller_k_is_the_head_of_a_larger_one,
)
