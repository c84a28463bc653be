"""Every error of siftstream on one screen.

::

    SiftError
    ├── ConfigError          the configuration, before anything runs
    ├── BrokerError          the local broker
    ├── ModelError           a model version or its artifacts
    ├── TrainingError        a training run
    │   └── TrainingKilled   its child was killed from outside: the same labels may do another time
    ├── StrategyError        a strategy was asked for what it cannot do
    ├── UnavailableError     something outside is away for now: try again, the input is not to blame
    │   └── EmitTimeout      the broker did not acknowledge in time
    └── BadRecord            this one input cannot be used: it goes to dead letters
        ├── SchemaError      the bytes are not the event or micro-batch that the topic holds
        ├── LoadError        the bytes behind a URI could not be had
        │   └── RefusedError a guard said no (scheme, root, address, size)
        ├── TransformError   the bytes are not what the transform reads
        ├── InferenceError   the model cannot run on this sample
        └── LabelError       a label that cannot be used
"""


class SiftError(Exception):
    """The root: `except SiftError` catches all that siftstream raises on purpose."""


class ConfigError(SiftError):
    """The configuration is wrong; the message names the setting and the remedy."""


class BrokerError(SiftError):
    """The local Kafka broker could not be started or used."""


class ModelError(SiftError):
    """A model version is unknown, does not match its hash, or does not fit the pipeline."""


class TrainingError(SiftError):
    """A training run failed; the live model stays, and the same labels would fail again."""


class TrainingKilled(TrainingError):
    """The run's child was killed from outside (a signal, the kernel short of memory): try it again."""


class StrategyError(SiftError):
    """A strategy is unknown or lacks what it needs."""


class UnavailableError(SiftError):
    """Something outside is away for now; the same input may work later.

    `retry_after` holds the seconds that it asked us to wait, where it said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EmitTimeout(UnavailableError):
    """The broker did not acknowledge an output within the deadline."""


class BadRecord(SiftError):
    """This input cannot be used now or later: it belongs in dead letters."""


class SchemaError(BadRecord):
    """The bytes do not decode to what the topic holds."""


class LoadError(BadRecord):
    """The bytes behind a URI could not be loaded."""


class RefusedError(LoadError):
    """A guard refused the URI."""


class TransformError(BadRecord):
    """The loaded bytes are not what the transform reads."""


class InferenceError(BadRecord):
    """The model cannot run on this sample."""


class LabelError(BadRecord):
    """A label that cannot be used."""
