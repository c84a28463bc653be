"""The wiring: one Faust app a stage, made from the configuration.

`faust -A siftstream.app:infer worker` works: each stage is an attribute of this module, made on
first use from `SIFTSTREAM_CONFIG` (or siftstream.yaml) and the environment. A stage imports only
what it runs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from siftstream.schemas.errors import ConfigError
from siftstream.settings import Settings, load_settings
from siftstream.streams.app import StageApp, make_app


def build(stage: str, settings: Settings, *, instance: str | None = None) -> StageApp:
    """Return the app of a stage, its agents attached, not started.

    Args:
        stage: fetch, infer, select, consensus or retrain.
        settings: The configuration.
        instance: A name for this worker that stays over restarts, e.g. `infer-0`.

    Raises:
        ConfigError: no such stage, or the configuration does not fit it.
    """
    if stage not in STAGES:
        raise ConfigError(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    return STAGES[stage](settings, instance)


def _fetch(settings: Settings, instance: str | None) -> StageApp:
    from siftstream.agents.fetch.stage import attach
    from siftstream.agents.fetch.transforms import make_transform
    from siftstream.agents.versions import require_fit
    from siftstream.streams.metrics import Metrics, serve

    app = _app("fetch", settings, instance, coalesced=("data-uris",), buffer=64)
    metrics = Metrics("fetch")
    serve(app, metrics, settings.metrics)
    oddities = metrics.counter("oddities", "What was strange in samples and is no error, by kind.")
    transform = make_transform(settings.transform, oddities)
    require_fit(app, settings.model.line, transform.specs)
    attach(app, settings.fetch, transform, _cache(settings), metrics)
    return app


def _infer(settings: Settings, instance: str | None) -> StageApp:
    from siftstream.agents.fetch.transforms import make_transform
    from siftstream.agents.infer.live import LiveModel
    from siftstream.agents.infer.stage import attach
    from siftstream.agents.versions import require_fit
    from siftstream.streams.metrics import Metrics, serve

    app = _app("infer", settings, instance, buffer=64)
    specs = make_transform(settings.transform).specs
    require_fit(app, settings.model.line, specs)
    metrics = Metrics("infer")
    serve(app, metrics, settings.metrics)
    live = LiveModel(app, settings.model.kept_in(settings.state), settings.classes, specs)
    attach(app, settings.infer, live, metrics)
    return app


def _select(settings: Settings, instance: str | None) -> StageApp:
    from siftstream.agents.select.drift.watch import DriftWatch
    from siftstream.agents.select.heads import LiveHead
    from siftstream.agents.select.rounds import Rounds
    from siftstream.agents.select.stage import attach
    from siftstream.models.settings import SPARE
    from siftstream.streams.metrics import Metrics, serve

    app = _app("select", settings, instance, floors=("scores",), buffer=256)
    DriftWatch(settings.select.drift, 0)  # what it lacks is said now, not at the first record
    metrics = Metrics("select")
    serve(app, metrics, settings.metrics)
    rounds = Rounds(settings.select, settings.classes, SPARE)
    live = LiveHead(app, settings.model, SPARE, settings.classes)
    first_run = settings.retrain.min_labels if settings.mode == "synchronous" else None
    attach(app, rounds, live, metrics, first_run=first_run)
    return app


def _consensus(settings: Settings, instance: str | None) -> StageApp:
    from siftstream.agents.consensus.ballots import Ballots
    from siftstream.agents.consensus.stage import attach

    app = _app("consensus", settings, instance, coalesced=("labels",), buffer=64)
    attach(app, Ballots(settings.classes, settings.consensus.holdout))
    return app


def _retrain(settings: Settings, instance: str | None) -> StageApp:
    from siftstream.agents.fetch.transforms import make_transform
    from siftstream.agents.retrain.course import Course
    from siftstream.agents.retrain.embeddings import Embeddings
    from siftstream.agents.retrain.pseudo import PseudoLabels
    from siftstream.agents.retrain.report import Report
    from siftstream.agents.retrain.samples import Samples
    from siftstream.agents.retrain.scores_tail import ScoresTail
    from siftstream.agents.retrain.stage import attach
    from siftstream.agents.retrain.stop_set import StopSet
    from siftstream.streams.metrics import Metrics, serve

    replica = instance or "retrain-0"
    group = settings.pipeline.group(replica)  # every trainer reads all of L
    app = _app("retrain", settings, replica, group=group, buffer=4096)
    metrics = Metrics("retrain")
    serve(app, metrics, settings.metrics)
    kept = settings.retrain.cache
    samples = Samples(
        settings.fetch, make_transform(settings.transform), settings.state / "samples", _cache(settings),
        limit=kept.samples,
    )  # fmt: skip
    model, pseudo = settings.model.anywhere(), None
    if settings.retrain.train.pseudo.confidence is not None:
        tail = ScoresTail(app.kafka, app.pipeline)
        pseudo = PseudoLabels(
            settings.retrain.train.pseudo, model.line, settings.consensus.holdout, tail.latest
        )
    embeddings = Embeddings(settings.state / "embeddings", kept.embeddings)
    course = Course(
        settings.retrain, model, settings.classes, samples, embeddings,
        settings.state / "jobs" / replica, pseudo,
    )  # fmt: skip
    stop_set = StopSet(model, samples, embeddings)
    attach(app, settings.retrain, model, settings.classes, course, replica, Report(metrics), stop_set)
    return app


def _cache(settings: Settings) -> Any:
    """The disk cache that fetch and the trainers of this machine share."""
    from siftstream.agents.fetch.loaders.cache import Cache

    limits = settings.fetch.cache
    folder = Path(limits.folder) if limits.folder else settings.state / "cache"
    return Cache(folder, limits.max_bytes) if limits.max_bytes else None


def _app(stage: str, settings: Settings, instance: str | None, **options: Any) -> StageApp:
    return make_app(
        stage, settings.pipeline, settings.kafka, state_dir=settings.state, instance=instance, **options
    )


STAGES: dict[str, Callable[[Settings, str | None], StageApp]] = {
    "fetch": _fetch, "infer": _infer, "select": _select, "consensus": _consensus, "retrain": _retrain,
}  # fmt: skip


def __getattr__(name: str) -> StageApp:
    if name not in STAGES:
        raise AttributeError(f"module 'siftstream.app' has no attribute {name!r}")
    globals()[name] = app = build(name, load_settings())
    return app
