"""What the models alone cannot check: names of strategies and transforms, and files."""

from siftstream.agents.fetch.transforms import make_transform
from siftstream.agents.select.drift.watch import DriftWatch
from siftstream.schemas.arrays import Specs
from siftstream.schemas.errors import ConfigError, StrategyError
from siftstream.settings.root import Settings
from siftstream.strategies import Need, strategy_of
from siftstream.strategies.stopping import Evidence, stopping_of


def check(settings: Settings) -> Specs:
    """Return what the transform makes, if all is well.

    Raises:
        ConfigError: a strategy, stopping rule or transform is unknown or refuses its parameters, a file or
            what a drift detector needs is not there, or a stopping rule would never have what it reads.
    """
    strategy = settings.select.strategy
    for setting, said in (
        ("name", {"name": strategy.name, **strategy.parameters}),
        ("cold_start", strategy.cold_start),
        *((f"shadow[{number}]", said) for number, said in enumerate(strategy.shadow)),
    ):
        try:
            reads = strategy_of(said).reads
        except StrategyError as error:
            raise ConfigError(f"select.strategy.{setting}: {error}") from error
        if Need.TOKENS in reads:
            raise ConfigError(
                f"select.strategy.{setting}: it reads token probabilities, which the stream does not carry;"
                " let the tagger send a number with each URI as metadata, and take score_column"
            )
    _check_stopping(settings)
    DriftWatch(settings.select.drift, 0)  # says so where river is not installed
    for setting, refusal in (
        ("gate", settings.retrain.gate.refusal(settings.classes)),
        ("train", settings.retrain.train.calibration.refusal(len(settings.classes))),
        ("train", settings.retrain.train.weights.refusal(settings.classes)),
    ):
        if refusal is not None:
            raise ConfigError(f"retrain.{setting}.{refusal}")
    settings.kafka.ssl_context()
    return make_transform(settings.transform).specs


def _check_stopping(settings: Settings) -> None:
    """Refuse stopping rules that would never have what they read."""
    audited, held_out = settings.select.audit.fraction > 0, settings.consensus.holdout > 0
    for number, said in enumerate(settings.retrain.stop.rules):
        setting = f"retrain.stop.rules[{number}]"
        try:
            reads = stopping_of(said).reads
        except StrategyError as error:
            raise ConfigError(f"{setting}: {error}") from error
        if Evidence.SCORES in reads:
            raise ConfigError(
                f"{setting}: it reads the highest scores of rounds, which trainers do not see; take"
                " accuracy_plateau, stabilising_predictions or label_limit"
            )
        if Evidence.AUDIT in reads and not audited:
            raise ConfigError(f"{setting}: it reads audit accuracy; set select.audit.fraction above 0")
        if Evidence.PREDICTIONS in reads and not (audited or held_out):
            raise ConfigError(
                f"{setting}: it reads answers on held-out and audit samples, and there will be none; set"
                " select.audit.fraction or consensus.holdout above 0"
            )
