"""`siftstream models show`: why a version is what it is, and what it is made of."""

import json
from collections.abc import Mapping
from typing import Any

from siftstream.cli.models.going_live import Version
from siftstream.cli.models.listing import Json, interval, standing
from siftstream.cli.models.told import console, lay, table, told
from siftstream.cli.options import Config
from siftstream.models.lineage import Lineage
from siftstream.schemas import Figure, ModelVersion
from siftstream.settings import Settings


def show(version: Version, config: Config = None, as_json: Json = False) -> None:
    """Show a version: its standing, the table behind its verdict, and what it was made of."""
    from siftstream.cli.cluster import settings_with_cluster
    from siftstream.cli.versions import live_in, named, versions_of

    settings = settings_with_cluster(config)
    versions = versions_of(settings)
    chosen = named(versions, version, settings.model.line)
    status = standing(chosen, live_in(versions))
    chain = parents(chosen, versions)
    lineage, why_not = lineage_of(settings, chosen)
    made_of = short(lineage) if lineage else None
    if as_json:
        fields = chosen.model_dump(mode="json", exclude_none=True)
        whole = {"standing": status, "version": fields, "parents": chain, "lineage": made_of}
        console().print_json(json.dumps(whole))
        return
    told(f"{chosen.version} of line {chosen.line}: {status}. {chosen.reason}")
    told(f"parents: {' <- '.join([chosen.version, *chain])}")
    _tell_figures(chosen)
    if made_of is None:
        told(f"lineage: {why_not}")
    else:
        _tell_lineage(made_of)


def lineage_of(settings: Settings, version: ModelVersion) -> tuple[Lineage | None, str]:
    """Return a version's lineage, or why there is none."""
    from siftstream.models.artifacts import ArtifactStore
    from siftstream.schemas.errors import ModelError

    if version.lineage is None:
        return None, "none: it was imported, quantized, or its training failed"
    try:
        data = ArtifactStore.open(settings.model.artifacts).get(version.lineage)
        return Lineage.from_bytes(data), ""
    except ModelError as error:
        return None, str(error)


def parents(version: ModelVersion, versions: Mapping[str, ModelVersion]) -> list[str]:
    """Return the names of a version's parent, its parent's parent and so on, as far as they are known."""
    chain: list[str] = []
    at: ModelVersion | None = version
    while at is not None and at.parent and at.parent not in (version.version, *chain):
        chain.append(at.parent)
        at = versions.get(at.parent)
    return chain


def short(lineage: Lineage) -> dict[str, Any]:
    """Return a lineage in short: labels by class and slice, settings that are no defaults, code."""
    from siftstream.models.provenance import apart, counted
    from siftstream.models.training.settings import TrainSettings

    defaults = TrainSettings().model_dump(mode="json")
    return {
        "labels": counted(lineage),
        "settings": {name: found[1] for name, found in apart(defaults, lineage.settings).items()},
        "seed": lineage.settings.get("seed"),
        "code": lineage.code,
        "parent": lineage.parent,
        "began_with": lineage.encoder,
        "upto": lineage.upto,
    }


def _tell_figures(version: ModelVersion) -> None:
    judgement = version.judgement
    if judgement is None or not judgement.figures:
        told("not judged: there was no held-out or audited sample")
        return
    told(f"judged on {judgement.judged:,} samples against {judgement.against or 'nothing'}:")
    right = ("count", "value", "90 %", "live", "difference", "90 %", "may lose")
    rows = table("figure", "samples", right=right)
    rows.add_column("")
    for figure in judgement.figures:
        if figure.samples != "all" and figure.name.startswith("recall/"):
            continue  # with --json: a screen is enough
        rows.add_row(figure.name, figure.samples, *_cells(figure))
    lay(rows)


def _cells(figure: Figure) -> tuple[str, ...]:
    return (
        f"{figure.count:,}", f"{figure.value:.4f}", interval(figure.interval),
        "-" if figure.live is None else f"{figure.live:.4f}",
        "-" if figure.difference is None else f"{figure.difference:+.4f}",
        interval(figure.gap),
        "-" if figure.allowed is None else f"{figure.allowed:g}",
        "" if figure.kept else "lost",
    )  # fmt: skip


def _tell_lineage(made_of: Mapping[str, Any]) -> None:
    slices = sorted({where for found in made_of["labels"].values() for where in found})
    rows = table("class", right=tuple(slices))
    for name, found in made_of["labels"].items():
        rows.add_row(name, *(f"{found.get(where, 0):,}" for where in slices))
    lay(rows)
    others = ", ".join(f"{name}={value}" for name, value in made_of["settings"].items()) or "all defaults"
    told(f"settings: {others} (seed {made_of['seed']})")
    told(f"code: {', '.join(f'{name} {value}' for name, value in made_of['code'].items())}")
    began = made_of["began_with"]
    told(f"began with: {began[:12]}... of {made_of['parent']}" if began else "began with: nothing")
