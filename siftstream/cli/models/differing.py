"""`siftstream models diff`: two versions side by side."""

import json
from typing import Annotated, Any

import typer

from siftstream.cli.models.listing import Json, interval
from siftstream.cli.models.told import console, lay, table, told
from siftstream.cli.options import Config
from siftstream.models.lineage import Lineage
from siftstream.schemas import ModelVersion

_NAMED = 5  # ids that are told of each kind


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="Name of a version, or `live`.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Name of another.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Compare two versions: figures, labels added, removed and changed, settings, code."""
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.models.showing import lineage_of
    from siftstream.cli.versions import named, versions_of

    settings = settings_with_cluster(config)
    versions = versions_of(settings)
    ours, theirs = (named(versions, name, settings.model.line) for name in (first, second))
    lineages = [lineage_of(settings, version)[0] for version in (ours, theirs)]
    found = differences(ours, theirs, lineages[0], lineages[1])
    if as_json:
        console().print_json(json.dumps(found))
        return
    rows = table("figure", right=(ours.version, "90 %", theirs.version, "90 %", "difference"))
    for name, cells in found["figures"].items():
        if name.startswith("recall/") and not name.endswith("(all)"):
            continue  # with --json: a screen is enough
        a, b = cells["values"]
        rows.add_row(
            name, _number(a), interval(cells["intervals"][0]), _number(b), interval(cells["intervals"][1]),
            "-" if a is None or b is None else f"{b - a:+.4f}",
        )  # fmt: skip
    lay(rows)
    for kind, ids in (found["labels"] or {}).items():
        few = ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
        told(f"labels {kind}: {len(ids):,}{f' ({few})' if ids else ''}")
    for kind in ("settings", "code"):
        for name, (a, b) in (found[kind] or {}).items():
            told(f"{kind}: {name} {a} -> {b}")
    if found["labels"] is None:
        told("labels, settings and code: not known, one of them has no lineage")


def differences(
    ours: ModelVersion, theirs: ModelVersion, first: Lineage | None, second: Lineage | None
) -> dict[str, Any]:
    """Return how two versions differ; labels, settings and code only where both lineages are known."""
    from siftstream.models.provenance import apart, labels_apart

    told_of: dict[str, Any] = {"figures": _figures(ours, theirs)}
    if first is None or second is None:
        return told_of | {"labels": None, "settings": None, "code": None}
    labels = labels_apart(first, second)
    return told_of | {
        "labels": {"added": labels.added, "removed": labels.removed, "changed": labels.changed},
        "settings": apart(first.settings, second.settings),
        "code": apart(first.code, second.code),
    }


def _figures(*versions: ModelVersion) -> dict[str, Any]:
    """Return the figures by name, each version's beside the other's; none where one has no such figure."""
    by_version = [
        {f"{f.name} ({f.samples})": f for f in (version.judgement.figures if version.judgement else ())}
        for version in versions
    ]
    names = list(dict.fromkeys(name for figures in by_version for name in figures))
    found: dict[str, Any] = {
        "labels": {"values": [v.trained_on for v in versions], "intervals": [None, None]}
    }
    for name in names:
        both = [figures.get(name) for figures in by_version]
        found[name] = {
            "values": [figure and figure.value for figure in both],
            "intervals": [figure and figure.interval for figure in both],
        }
    return found


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else f"{value:,}"
