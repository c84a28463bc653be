"""What the models alone cannot check: names of strategies and transforms, and files."""

from siftstream.agents.fetch.transforms import make_transform
from siftstream.agents.select.drift.watch import DriftWatch
from siftstream.schemas.arrays import Specs
from siftstream.schemas.errors import ConfigError, StrategyError
from siftstream.settings.root import Settings
from siftstream.strategies import Need, strategy_of


def check(settings: Settings) -> Specs:
    """Return what the transform makes, if all is well.

    Raises:
        ConfigError: a strategy or transform is unknown or refuses its parameters, a file or what a drift
            detector needs is not there.
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
    DriftWatch(settings.select.drift, 0)  # says so where river is not installed
    settings.kafka.ssl_context()
    return make_transform(settings.transform).specs
