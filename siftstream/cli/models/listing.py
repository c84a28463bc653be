"""`siftstream models list`: the versions of a line, newest last."""

import time
from typing import Annotated

import typer

from siftstream.cli.models.told import console, lay, table
from siftstream.cli.options import Config
from siftstream.schemas import ModelVersion, VersionStatus

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def list_models(config: Config = None, as_json: Json = False) -> None:
    """Show the versions of the line, newest last."""
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.versions import live_in, versions_of

    settings = settings_with_cluster(config)
    found = versions_of(settings)
    if as_json:
        import json

        told = [version.model_dump(mode="json", exclude_none=True) for version in found.values()]
        console().print_json(json.dumps(told))
        return
    if not found:
        console().print(f"no version in the line {settings.model.line!r} yet", markup=False)
        return
    live = live_in(found)
    rows = table("version", "status", "mode", right=("labels", "accuracy", "90 %", "age", "passes"))
    rows.add_column("parent", no_wrap=True)
    rows.add_column("reason")
    for version in sorted(found.values(), key=lambda v: v.created_at):
        rows.add_row(
            version.version, standing(version, live), version.mode or "-", f"{version.trained_on:,}",
            *accuracy(version), age(time.time() - version.created_at), str(version.passes),
            version.parent or "-", version.reason,
        )  # fmt: skip
    lay(rows)


def standing(version: ModelVersion, live: ModelVersion | None) -> str:
    """Return what a version is now, and what holds of it: live, held.

    >>> failed = ModelVersion(line="main", version="v1", classes=("a",), status="failed", pinned=True)
    >>> standing(failed, None)
    'failed, pinned'
    """
    status = version.status
    if status is VersionStatus.LIVE and (live is None or live.version != version.version):
        status = VersionStatus.RETIRED
    marks = {"held": version.held and status is VersionStatus.LIVE, "pinned": version.pinned}
    marks["collected"] = version.collected
    return ", ".join([str(status), *(name for name, holds in marks.items() if holds)])


def accuracy(version: ModelVersion) -> tuple[str, str]:
    """Return the accuracy on held-out and audited samples, and the interval it lies in with 90 %."""
    figure = version.judgement.find("accuracy") if version.judgement else None
    if figure is None:
        value = version.metrics.get("accuracy")
        return ("-" if value is None else f"{value:.3f}"), "-"
    return f"{figure.value:.3f}", interval(figure.interval)


def interval(found: tuple[float, float] | None) -> str:
    """Return an interval as words."""
    return "-" if found is None else f"{found[0]:.3f}..{found[1]:.3f}"


def age(seconds: float) -> str:
    """Return a span in its largest unit.

    >>> age(7_300.0), age(0.2)
    ('2 h', '0 s')
    """
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "0 s"
