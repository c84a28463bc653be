"""What trainers do, in lines for reading: a line a trainer, and whether annotators are asked."""

from collections.abc import Mapping

from siftstream.schemas import Action, Command, ModelVersion, Progress, RunState, TrainingRun, VersionStatus
from siftstream.streams.status import Status

SILENT_S = 15.0  # from here it is said when a running trainer was last heard

WAYS = {
    VersionStatus.LIVE: "live",
    VersionStatus.CANDIDATE: "a candidate",
    VersionStatus.REJECTED: "rejected",
    VersionStatus.FAILED: "failed",
}


def trainers(state: Status) -> list[str]:
    """Return a line a trainer, and one for each line of models whose samples nobody is asked about.

    >>> facts = {"line": "main", "trainer": "retrain-0", "version": "retrain-0-0007", "labels": 340}
    >>> at = Progress(phase="fit", epoch=14, epochs=40, step=34, steps=100, loss=0.4126, remaining=72.0)
    >>> running = TrainingRun(**facts, state="running", progress=at, told_at=99.0)
    >>> pause = Command(line="main", action="pause", by="label_limit", why="500 of 500 labels")
    >>> for text in trainers(Status(100.0, (), {}, (), runs=(running,), asking={"main": pause})):
    ...     print(text)
    retrain-0 trains retrain-0-0007 on 340 labels: fit 34%, epoch 14 of 40, loss 0.413, 1 min 12 s left
    asking is paused by label_limit: 500 of 500 labels
    """
    versions = {(v.line, v.version): v for v in state.versions}
    lines = [run_line(run, versions.get((run.line, run.version)), state.at) for run in state.runs]
    return lines + paused(state.asking)


def paused(asking: Mapping[str, Command]) -> list[str]:
    """Return a line for each line of models that asks nobody."""
    lines: list[str] = []
    for line, said in asking.items():
        if said.action is Action.PAUSE:
            which = f" for {line}" if len(asking) > 1 else ""
            why = f": {said.why}" if said.why else ""
            lines.append(f"asking{which} is paused by {said.by}{why}")
    return lines


def run_line(run: TrainingRun, version: ModelVersion | None, at: float) -> str:
    """Say what a trainer does, or what came of its last run.

    Args:
        run: Its newest run.
        version: What the run made, if it did.
        at: Now, seconds since the epoch.

    >>> run = TrainingRun(line="main", trainer="r-0", version="r-0-0001", labels=20, state="failed",
    ...     reason="training: the child died of SIGSEGV", told_at=30.0)
    >>> run_line(run, None, at=100.0)
    'r-0: r-0-0001 (20 labels) failed 1 min 10 s ago: training: the child died of SIGSEGV'
    """
    if not run.state.over:
        ago = at - run.told_at
        silent = f" (last heard {duration(ago)} ago)" if ago >= SILENT_S else ""
        return f"{run.trainer} trains {run.version} on {run.labels:,} labels: {how_far(run.progress)}{silent}"
    status = None if version is None else version.status
    came = run.state.value
    if status is not None and run.state is RunState.DONE:
        came = f"became {WAYS[status]}" if status is not VersionStatus.REJECTED else "was rejected"
    reason = run.reason or ("" if version is None else version.reason)
    ago = duration(at - run.told_at)
    why = f": {reason}" if reason else ""
    return f"{run.trainer}: {run.version} ({run.labels:,} labels) {came} {ago} ago{why}"


def how_far(progress: Progress | None) -> str:
    """Say how far a run is.

    >>> how_far(Progress(phase="embed", step=1, steps=8))
    'embed 12%'
    """
    if progress is None:
        return "begins"
    share = f" {progress.share:.0%}" if progress.steps else ""
    parts = [f"{progress.phase}{share}"]
    if progress.epochs:
        parts.append(f"epoch {progress.epoch:,} of {progress.epochs:,}")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3g}")
    if progress.remaining is not None:
        parts.append(f"{duration(progress.remaining)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Say how long, in two units at most.

    >>> [duration(s) for s in (-0.1, 4.4, 72, 7260)]
    ['0 s', '4 s', '1 min 12 s', '2 h 1 min']
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
