"""The suite that every stream rule must pass: a plug-in's whole test is `check_rule(MyRule())`."""

from dataclasses import replace
from typing import Final

import numpy as np

from siftstream.schemas.errors import StrategyError
from siftstream.strategies.conformance.rules import must
from siftstream.strategies.conformance.windows import constant_window, make_window
from siftstream.strategies.needs import Need
from siftstream.strategies.rules.rule import Decision, StreamRule
from siftstream.strategies.rules.state import RuleState
from siftstream.strategies.strategy import parameters_of
from siftstream.strategies.window import Window

LONG = 3000


def check_rule(rule: StreamRule) -> None:
    """Hold a stream rule to every check.

    Raises:
        AssertionError: what it breaks, and how.
    """
    for check in CHECKS:
        check(rule)


def begin(rule: StreamRule, seed: int = 7) -> RuleState:
    """Return a state from a seed."""
    return rule.start(np.random.default_rng(seed))


def decided(rule: StreamRule, window: Window, state: RuleState) -> Decision:
    """Let it decide, and hold the answer to what every answer must be."""
    said = rule.decide(window, state)
    must(isinstance(said, Decision), f"decide returned {type(said).__name__}, no Decision")
    size = len(window)
    must(said.taken_B.dtype == bool and said.taken_B.shape == (size,), "taken_B is no bool for each row")
    must(said.slots_B.dtype == np.int64 and said.slots_B.shape == (size,), "slots_B is no int64 for each row")
    must(bool((said.slots_B[~said.taken_B] == -1).all()), "a sample that was not taken has a slot")
    must(said.state.seen == state.seen + size, f"it saw {said.state.seen - state.seen} of {size} samples")
    must(
        said.state.asked == state.asked + int(said.taken_B.sum()),
        f"its state counts {said.state.asked - state.asked} labels, it asked for {int(said.taken_B.sum())}",
    )
    return said


def it_says_what_it_is(rule: StreamRule) -> None:
    """Name, needs, cost, use and source are said, and each parameter is described."""
    kind = type(rule)
    for word in ("name", "family", "cost", "when", "source"):
        said = getattr(kind, word, None)
        must(isinstance(said, str) and bool(said.strip()), f"{kind.__name__}.{word} is not said")
    must(kind.needs <= rule.reads, f"{rule.name} reads less than it needs")
    must(bool(kind.__doc__), f"{kind.__name__} has no docstring")
    fields = parameters_of(kind)
    must("budget" in fields, f"{kind.__name__} has no budget")
    for name, parameter in fields.items():
        must(bool(parameter.description), f"parameter {name} has no description")


def the_budget_is_held(rule: StreamRule) -> None:
    """On long streams of every kind no more is asked than the rule says, at any time."""
    for kind, stream in long_streams().items():
        taken_B = decided(rule, stream, begin(rule)).taken_B
        asked = np.cumsum(taken_B)
        for seen in (1, 10, 100, 1000, len(stream)):
            most = rule.most_asked(seen)
            must(asked[seen - 1] <= most, f"{kind}: {asked[seen - 1]} labels of {seen}, at most {most:.0f}")


def no_budget_asks_nothing(rule: StreamRule) -> None:
    """With a budget of 0 no label is asked."""
    none = replace(rule, budget=0.0)
    taken_B = decided(none, make_window(0, 200), begin(none)).taken_B
    must(not taken_B.any(), f"a budget of 0 asked for {int(taken_B.sum())} labels")


def batches_do_not_show(rule: StreamRule) -> None:
    """A stream cut anywhere gives the same decisions and the same state."""
    stream = make_window(1, 260)
    whole = decided(rule, stream, begin(rule))
    for sizes in ([1] * 260, [7, 0, 100, 153], [259, 1]):
        taken, slots, state, at = [np.empty(0, bool)], [np.empty(0, np.int64)], begin(rule), 0
        for size in sizes:
            part = decided(rule, stream.rows(np.arange(at, at + size)), state)
            taken.append(part.taken_B)
            slots.append(part.slots_B)
            state, at = part.state, at + size
        must(bool((np.concatenate(taken) == whole.taken_B).all()), f"batches of {sizes[:3]}... show")
        must(bool((np.concatenate(slots) == whole.slots_B).all()), f"slots show batches of {sizes[:3]}...")
        must(state == whole.state, f"batches of {sizes[:3]}... left another state: {state}")


def a_restart_does_not_show(rule: StreamRule) -> None:
    """The state written as JSON and read again is the same, and what follows too."""
    stream = make_window(2, 300)
    whole = decided(rule, stream, begin(rule))
    half = decided(rule, stream.rows(np.arange(170)), begin(rule))
    back = rule.from_json(half.state.to_json())
    must(back == half.state, f"the state came back from JSON as {back}")
    rest = decided(rule, stream.rows(np.arange(170, 300)), back)
    must(bool((rest.taken_B == whole.taken_B[170:]).all()), "decisions differ after a restart")


def the_seed_decides(rule: StreamRule) -> None:
    """The same stream and seed give the same decisions, and the state handed in is not changed."""
    stream, state = make_window(3, 120), begin(rule)
    before = state.to_json()
    first, second = decided(rule, stream, state), decided(rule, stream, state)
    must(bool((first.taken_B == second.taken_B).all()), "two answers to one question")
    must(state.to_json() == before, "the state that was handed in has changed")


def inputs_are_not_written_to(rule: StreamRule) -> None:
    """What was handed in is the same afterwards."""
    rng = np.random.default_rng(0)
    probs, emb = rng.dirichlet(np.ones(4), (40, 3)).astype(np.float32), rng.normal(size=(40, 6))
    before = probs.copy(), emb.copy()
    decided(rule, Window(probs, emb), begin(rule))
    must(bool((probs == before[0]).all() and (emb == before[1]).all()), "an input was written to")


def what_it_lacks_is_refused(rule: StreamRule) -> None:
    """Each need that a window lacks is named in a refusal; what it does not need, it does not miss."""
    for need in Need:
        window = make_window(0, 8, without=need)
        lacks = [read for read in rule.reads if not window.has(read)]
        try:
            rule.decide(window, begin(rule))
        except StrategyError as error:
            must(bool(lacks), f"it refused a window without {need}, which it does not say it needs: {error}")
            must(any(read in str(error) for read in lacks), f"the refusal does not name {lacks}: {error}")
        else:
            must(not lacks, f"it took a window without {', '.join(lacks)}, which it says it needs")


def a_foreign_state_is_refused(rule: StreamRule) -> None:
    """The state of another rule, and text that is no state, are refused."""
    for attempt in (
        lambda: rule.decide(make_window(0, 3), RuleState("another", 1)),
        lambda: rule.from_json('{"rule": 3}'),
    ):
        try:
            attempt()
        except StrategyError:
            continue
        must(False, "a state of another rule, or none, was taken")


def degenerate_rows_are_decided(rule: StreamRule) -> None:
    """Zeros, ones, one class, one row, no rows, float16."""
    for value in (0.0, 0.25, 1.0):
        for dtype in (np.float32, np.float16):
            decided(rule, constant_window(value, 150, dtype=dtype), begin(rule))
    for window in (make_window(1, 9, classes=1), make_window(2, 1), make_window(3, 0)):
        decided(rule, window, begin(rule))


def long_streams() -> dict[str, Window]:
    """Return streams that are sure, unsure, mixed, ever surer, ever less sure, and in bursts."""
    rng = np.random.default_rng(5)
    steps = np.arange(LONG) / LONG
    doubts = {
        "all sure": np.zeros(LONG),
        "all unsure": np.full(LONG, 0.5),
        "mixed": rng.random(LONG) / 2,
        "ever surer": 0.5 * (1 - steps),
        "ever less sure": 0.5 * steps,
        "in bursts": 0.5 * (np.sin(steps * 60) > 0.7),
    }
    whole = make_window(4, LONG)
    return {
        kind: Window(
            np.stack([1 - doubt, doubt], axis=1)[:, None].repeat(2, axis=1), whole.emb_BD,
            metadata=whole.metadata, columns=whole.columns, tokens=whole.tokens,
            labelled=whole.labelled, head=whole.head,
        )
        for kind, doubt in doubts.items()
    }  # fmt: skip


CHECKS: Final = (
    it_says_what_it_is,
    the_budget_is_held,
    no_budget_asks_nothing,
    batches_do_not_show,
    a_restart_does_not_show,
    the_seed_decides,
    inputs_are_not_written_to,
    what_it_lacks_is_refused,
    a_foreign_state_is_refused,
    degenerate_rows_are_decided,
)
