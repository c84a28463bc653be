"""The whole configuration as one model."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from siftstream.agents.consensus.settings import ConsensusSettings
from siftstream.agents.fetch.settings import FetchSettings
from siftstream.agents.fetch.transforms.settings import ImageSettings, TransformSettings
from siftstream.agents.infer.settings import InferSettings
from siftstream.agents.retrain.settings import RetrainSettings
from siftstream.agents.select.settings import SelectSettings
from siftstream.connectors.settings import OracleSettings
from siftstream.models.settings import ModelSettings
from siftstream.streams.settings import KafkaSettings, MetricsSettings, PipelineSettings


class Settings(BaseSettings):
    """Everything a pipeline may be told. `SIFTSTREAM_SELECT__BUDGET__PER_ROUND=5` overrides one value."""

    model_config = SettingsConfigDict(
        env_prefix="SIFTSTREAM_",
        env_nested_delimiter="__",
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    pipeline: PipelineSettings = PipelineSettings()
    mode: Literal["asynchronous", "synchronous"] = Field(
        default="asynchronous",
        description="'synchronous' lets a partition ask again only when all it asked for is answered and a"
        " training run knows the answers: annotators wait meanwhile. It exists to be compared with.",
    )
    kafka: KafkaSettings = KafkaSettings()
    classes: tuple[str, ...] = Field(
        default=("no", "yes"),
        min_length=2,
        description="Names of the classes, in the order of the model's outputs.",
    )
    transform: TransformSettings = ImageSettings()
    fetch: FetchSettings = FetchSettings()
    model: ModelSettings = ModelSettings()
    infer: InferSettings = InferSettings()
    select: SelectSettings = SelectSettings()
    consensus: ConsensusSettings = ConsensusSettings()
    retrain: RetrainSettings = RetrainSettings()
    oracle: OracleSettings = OracleSettings()
    metrics: MetricsSettings = MetricsSettings()
    state: Path = Field(
        default=Path(".siftstream"), description="Folder of caches and logs; nothing there is needed again."
    )

    @model_validator(mode="after")
    def _distinct_classes(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("classes: a name stands there twice")
        return self

    @model_validator(mode="after")
    def _other_lines(self) -> Self:
        own = self.model.line
        if any(line.line == own for line in self.infer.lines):
            raise ValueError(f"infer.lines: {own} is the pipeline's own line (model.line); name another")
        return self
