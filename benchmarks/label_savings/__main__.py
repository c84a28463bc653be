"""Labels used over the labels that random needs for the same accuracy, on real data.

    python -m benchmarks.label_savings --seeds 20 --out results
    python -m benchmarks.label_savings --ag-news test.csv --spoken-digits wav.zip --cache features

Offline and simulated: linear heads on frozen features, the first labels at random or by the strategy before
the plus, then round after round, a new head each time; accuracy on a part that chooses nothing.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.label_savings.ag_news import ag_news
from benchmarks.label_savings.cifar import cifar
from benchmarks.label_savings.data import kept
from benchmarks.label_savings.protocol import Protocol
from benchmarks.label_savings.running import Job, curves_of, jobs_of, run_all
from benchmarks.label_savings.spoken_digits import spoken_digits
from siftstream.experiment.savings import Curves, savings
from siftstream.experiment.show import draw, tables

# What serves random best from 60 to 1,200 labels; the trainer's default serves the others.
L2_OF = {"AG News": 100.0, "CIFAR-10": 100.0}
STRATEGIES = "margin, two_stage, badge, typiclust+margin, typiclust+two_stage, entropy, k_center"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    options = _options(arguments)
    began = time.monotonic()
    protocol = Protocol(options.start, options.round, options.labels, options.window, options.members)
    jobs: list[Job] = []
    for name, file in _sets(options).items():
        strength = L2_OF.get(name, protocol.l2) if options.l2 is None else options.l2
        ours = replace(protocol, l2=strength)
        jobs += jobs_of(name, file, options.strategies, options.seeds, ours, options.reach)
    done = run_all(jobs, options.jobs, options.journal)
    sets = {name: curves_of(done, name) for name in _sets(options)}
    at = [labels for labels in options.at if labels <= options.labels]
    shown = {title: _shown(title, curves, at) for title, curves in sets.items()}
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        result = {"protocol": asdict(protocol), "seeds": options.seeds, "sets": shown}
        options.out.write_text(json.dumps(result))
    if options.picture is not None:
        names = list(dict.fromkeys(name for curves in sets.values() for name in curves))
        draw(sets, names, options.labels, options.picture)
    print(f"{time.monotonic() - began:.0f} s")
    return 0


def _shown(title: str, curves: Mapping[str, Curves], at: Sequence[int]) -> dict[str, Any]:
    """Print the table of a data set; return its curves and figures by strategy."""
    figures = {
        name: [savings(ours, curves["random"], labels) for labels in at] for name, ours in curves.items()
    }
    print(tables(title, figures))
    return {
        name: {
            "counts": curves[name].counts_P.tolist(),
            "accuracies": curves[name].accuracies_SP.round(4).tolist(),
            "savings": [one.as_json() for one in each],
        }
        for name, each in figures.items()
    }


def _sets(options: argparse.Namespace) -> dict[str, Path | None]:
    """Return the data sets to run, with the file of their features."""
    sets: dict[str, Path | None] = {} if options.no_digits else {"digits": None}
    if options.ag_news is not None:
        sets["AG News"] = kept(options.cache, "ag-news", options.ag_news, ag_news)
    if options.spoken_digits is not None:
        sets["spoken digits"] = kept(options.cache, "spoken-digits", options.spoken_digits, spoken_digits)
    if options.cifar is not None:
        sets["CIFAR-10"] = kept(options.cache, "cifar", options.cifar, cifar)
    return sets


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.label_savings", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--strategies", default=STRATEGIES, help="names, start+name, or YAML mappings")
    parser.add_argument(
        "--seeds", type=int, default=20, help="runs of each strategy; intervals are over them"
    )
    parser.add_argument("--start", type=int, default=Protocol.start, help="first labels")
    parser.add_argument("--round", type=int, default=Protocol.round, help="labels asked for at a time")
    parser.add_argument("--labels", type=int, default=Protocol.labels, help="labels at the end")
    parser.add_argument("--reach", type=int, default=3, help="random goes on to so many times --labels")
    parser.add_argument("--window", type=int, help="samples a round sees; without it the whole pool")
    parser.add_argument("--members", type=int, default=Protocol.members, help="of the head, for committees")
    parser.add_argument(
        "--l2", type=float, help="strength of the head's prior; without it the data set's own"
    )
    parser.add_argument("--at", type=_counts, default="20,60,100,200,400", help="labels to report at")
    parser.add_argument("--ag-news", type=Path, metavar="CSV", help="the test part of AG News")
    parser.add_argument("--spoken-digits", type=Path, metavar="ZIP", help="the Free Spoken Digit Dataset")
    parser.add_argument("--cifar", type=Path, metavar="ZIP", help="CIFAR-10 as JPEG files")
    parser.add_argument("--no-digits", action="store_true", help="leave scikit-learn's digits out")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keeps features; needed for those three")
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--journal", type=Path, help="keeps runs; delete it when a strategy changed")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="curves and figures")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="learning curves")
    options = parser.parse_args(arguments)
    if options.cache is None and (options.ag_news or options.spoken_digits or options.cifar):
        parser.error("data by path needs --cache: a folder outside the repository that keeps its features")
    return options


def _counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
