"""Annotators that never wait: asynchronous servers against the synchronous loop, at equal labels.

    python -m benchmarks.asynchronous --seeds 10
    python -m benchmarks.asynchronous --ag-news test.csv --cache features --no-digits

An event simulation on a virtual clock, whose unit is the time that one label takes. Asynchronous: the
annotator draws from a queue that the newest version has filled, and never waits for a training; a server
that is free claims a run as soon as `--min-new` labels came since the last claim, trains on all labels of
that moment, and publishes; a new version chooses anew what nobody has begun (not with `--keep`, as long as
the queue holds anything). Synchronous: after each batch everybody waits for the training. Linear heads on
frozen features, as in benchmarks.label_savings.
"""

import argparse
import heapq
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.label_savings.ag_news import ag_news
from benchmarks.label_savings.data import Data, digits, kept, load
from benchmarks.label_savings.head import fitted
from siftstream.experiment.candidates import accuracy, candidates
from siftstream.experiment.plan import plans
from siftstream.experiment.split import Rows, Split
from siftstream.models.head import Head

L2_OF = {"AG News": 100.0}
HELD_OUT = 0.25
START = 20


@dataclass(frozen=True)
class Rules:
    """Servers (0: synchronous), what a training takes in labelling times, and when who does what."""

    servers: int
    training: float
    batch: int = 20
    min_new: int = 1
    labels: int = 200
    strategy: str = "margin"
    keep: bool = False

    @property
    def name(self) -> str:
        """What the table calls it."""
        if self.servers:
            return f"{self.servers} server{'s' if self.servers > 1 else ''}"
        return f"synchronous, batch {self.batch}"


@dataclass
class Trial:
    """What a run came to: accuracies at numbers of labels, and what was counted on the way."""

    counts: list[int] = field(default_factory=list)
    learned: list[float] = field(default_factory=list)  # of a head on all labels of that moment
    live: list[float] = field(default_factory=list)  # of the version that was live then
    unseen: list[int] = field(default_factory=list)  # labels not in the live version, as each label came
    versions: int = 0
    waited: float = 0.0
    ended: float = 0.0


class Line:
    """Pool, labels and the live version of one run."""

    def __init__(self, data: Data, seed: int, l2: float, rules: Rules) -> None:
        """Args: features and classes; what decides split and draws; the head's prior; the rules."""
        self._data, self._seed, self._l2, self._rules = data, seed, l2, rules
        self._split = Split.of(len(data.classes_N), seed, HELD_OUT)
        self._strategy = plans(rules.strategy)[0].then
        self.labelled: list[int] = self._split.stream[:START].tolist()
        self.trial = Trial()
        self.live, self.seen = self.trained(self.labelled), START

    def trained(self, labelled: Sequence[int]) -> Head:
        """Return the head that these labels make."""
        rows = np.array(labelled)
        return fitted(self._data.features_ND[rows], self._data.classes_N[rows], self._data.classes, self._l2)

    def chosen(self) -> list[int]:
        """Return the batch that the live version wants next."""
        rows: Rows = np.array(self.labelled)
        free = self._split.stream[~np.isin(self._split.stream, rows)]
        features, classes = self._data.features_ND, self._data.classes_N
        window = candidates(self.live, features[free], free, features[rows], classes[rows])
        rng = np.random.default_rng([self._seed, len(rows), self.seen])
        return free[self._strategy.select(window, self._rules.batch, rng).indices].tolist()

    def publish(self, labelled: Sequence[int]) -> None:
        """Let what was learned from these labels be live, where nothing newer is."""
        self.trial.versions += 1
        if len(labelled) > self.seen:
            self.live, self.seen = self.trained(labelled), len(labelled)

    def label(self, row: int) -> None:
        """A label comes; every so many, note where the run stands."""
        self.labelled.append(row)
        self.trial.unseen.append(len(self.labelled) - self.seen)

    def note(self) -> None:
        """Note the accuracies of this moment."""
        test, data = self._split.test, self._data
        for found, head in ((self.trial.learned, self.trained(self.labelled)), (self.trial.live, self.live)):
            found.append(accuracy(head, data.features_ND[test], data.classes_N[test]))
        self.trial.counts.append(len(self.labelled))


def synchronous(line: Line, rules: Rules) -> Trial:
    """Label a batch, then wait for its training."""
    trial = line.trial
    while len(line.labelled) < rules.labels:
        for row in line.chosen():
            line.label(row)
            trial.ended += 1.0
        trial.waited += rules.training
        trial.ended += rules.training
        line.publish(list(line.labelled))
        if not len(line.labelled) % START:
            line.note()
    return trial


def asynchronous(line: Line, rules: Rules) -> Trial:
    """Label without a pause while servers claim, train and publish; at a tie a version comes first."""
    trial = line.trial
    running: list[tuple[float, int]] = []  # when each training ends, and how many labels it learned from
    claimed = START
    queue = line.chosen()
    while len(line.labelled) < rules.labels:
        done = trial.ended + 1.0
        while running and running[0][0] <= done:
            line.publish(line.labelled[: heapq.heappop(running)[1]])
            if not rules.keep:
                queue = [queue[0], *(row for row in line.chosen() if row != queue[0])]  # one is begun already
        line.label(queue.pop(0))
        trial.ended = done
        if len(running) < rules.servers and len(line.labelled) - claimed >= rules.min_new:
            claimed = len(line.labelled)
            heapq.heappush(running, (done + rules.training, claimed))
        if not queue:
            queue = line.chosen()
        if not len(line.labelled) % START:
            line.note()
    return trial


def run(data: Data, l2: float, rules: Rules, seed: int) -> Trial:
    """Run one trial on one thread."""
    with threadpool_limits(1):
        line = Line(data, seed, l2, rules)
        return asynchronous(line, rules) if rules.servers else synchronous(line, rules)


def table(training: float, trials: dict[str, list[Trial]]) -> str:
    """Return what the ways came to; accuracies are means over the curve, differences paired by seed."""
    base = np.array([np.mean(trial.learned) for trial in next(iter(trials.values()))])
    lines = [
        f"**training takes {training:g} labelling times**\n",
        "| way | accuracy of the labels, % | against the first | accuracy live, % | waiting"
        " | labels a version | labels not in the model, mean (most) |",
        "|---" * 7 + "|",
    ]
    for name, each in trials.items():
        ours = np.array([np.mean(trial.learned) for trial in each])
        apart = ours - base
        error = 1.645 * apart.std(ddof=min(1, len(apart) - 1)) / np.sqrt(len(apart))
        live = np.mean([np.mean(trial.live) for trial in each])
        labels = np.mean([len(trial.unseen) / trial.versions for trial in each])
        waiting = np.mean([trial.waited / trial.ended for trial in each])
        unseen = np.concatenate([trial.unseen for trial in each])
        lines.append(
            f"| {name} | {100 * ours.mean():.1f} | {100 * apart.mean():+.1f} ± {100 * error:.1f}"
            f" | {100 * live:.1f} | {waiting:.0%} | {labels:.1f} | {unseen.mean():.1f} ({unseen.max()}) |"
        )
    return "\n".join([*lines, ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    options = _options(arguments)
    sets: dict[str, Data] = {} if options.no_digits else {"digits": digits()}
    if options.ag_news is not None:
        sets["AG News"] = load(kept(options.cache, "ag-news", options.ag_news, ag_news))
    with ProcessPoolExecutor(options.jobs) as pool:
        for name, data in sets.items():
            print(
                f"## {name}, {options.strategy}, {START} to {options.labels} labels, {options.seeds} seeds\n"
            )
            for training in options.training:
                ways = [Rules(0, training), Rules(0, training, batch=1)]
                ways += [Rules(servers, training) for servers in options.servers]
                found: dict[str, list[Trial]] = {}
                for way in ways:
                    rules = replace(
                        way,
                        min_new=options.min_new,
                        labels=options.labels,
                        strategy=options.strategy,
                        keep=options.keep,
                    )
                    seeds = range(options.seeds)
                    many = pool.map(run, repeat(data), repeat(L2_OF.get(name, 1.0)), repeat(rules), seeds)
                    found[rules.name] = list(many)
                print(table(training, found), flush=True)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.asynchronous", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--servers", type=_numbers, default="1,2,3,4", help="servers, with commas")
    parser.add_argument(
        "--training", type=_numbers, default="1,3,10", help="what a training takes, in labelling times"
    )
    parser.add_argument("--min-new", type=int, default=1, help="labels since the last claim for the next")
    parser.add_argument("--keep", action="store_true", help="what was chosen once stays in the queue")
    parser.add_argument("--labels", type=int, default=200, help="labels at the end")
    parser.add_argument("--strategy", default="margin", help="what chooses")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each way")
    parser.add_argument("--ag-news", type=Path, metavar="CSV", help="the test part of AG News")
    parser.add_argument("--no-digits", action="store_true", help="leave scikit-learn's digits out")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keeps the features of AG News")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    options = parser.parse_args(arguments)
    if options.ag_news is not None and options.cache is None:
        parser.error("--ag-news needs --cache: a folder outside the repository that keeps its features")
    return options


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
