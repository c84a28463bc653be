"""How to reach Kafka, and the names under which a pipeline lives there."""

import ssl
from typing import TYPE_CHECKING, Any, Literal

import faust
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from siftstream.schemas.errors import ConfigError

if TYPE_CHECKING:  # at run time it brings aiohttp, which `push` and `status` need not wait for
    from faust.types.auth import CredentialsT


class KafkaSettings(BaseModel):
    """The cluster: address and security; `KAFKA_BOOTSTRAP_SERVERS` overrides the address."""

    model_config = ConfigDict(extra="forbid")

    bootstrap_servers: str | None = Field(
        default=None,
        description="host:port, comma separated; none: `up` and `demo` start a local broker.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How the connection is secured."
    )
    ssl_cafile: str | None = Field(default=None, description="CA certificate file (PEM).")
    ssl_certfile: str | None = Field(default=None, description="Client certificate file (PEM).")
    ssl_keyfile: str | None = Field(default=None, description="Client key file (PEM).")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="SASL mechanism, where the protocol is SASL_*."
    )
    sasl_username: str | None = Field(default=None, description="SASL user name.")
    sasl_password: SecretStr | None = Field(
        default=None, description="SASL password; give it by environment, not in the file."
    )
    compression: Literal["none", "zstd", "snappy", "gzip"] = Field(
        default="none", description="Record batch compression; zstd is worth it over a network."
    )
    replication_factor: int = Field(
        default=-1, ge=-1, description="Copies of each topic; -1: the broker's default."
    )
    emit_deadline: float = Field(
        default=120.0,
        gt=0,
        description="Seconds an output may wait for its acknowledgement before the worker restarts.",
    )
    stall_limit: float = Field(
        default=300.0,
        gt=0,
        description="Seconds without progress, with records waiting, before the worker restarts.",
    )

    @property
    def servers(self) -> list[str]:
        """The bootstrap addresses."""
        return [part.strip() for part in (self.bootstrap_servers or "").split(",") if part.strip()]

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the TLS context, or none for plaintext.

        Raises:
            ConfigError: a certificate or key cannot be read.
        """
        if "SSL" not in self.security_protocol:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile)
            if self.ssl_certfile:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(filter(None, (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile)))
            raise ConfigError(
                f"kafka: ssl_cafile, ssl_certfile or ssl_keyfile ({files}) cannot be used: {error};"
                " give the paths of PEM files"
            ) from error
        return context

    def client_options(self) -> dict[str, Any]:
        """Connection options that aiokafka and kafka-python both understand."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context(),
        }
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self._password(),
            }
        return options

    def faust_credentials(self) -> "CredentialsT | None":
        """Return the same security as Faust credentials."""
        context = self.ssl_context()
        if self.security_protocol.startswith("SASL"):
            return faust.SASLCredentials(
                username=self.sasl_username or "", password=self._password(),
                ssl_context=context, mechanism=self.sasl_mechanism,
            )  # fmt: skip
        return faust.SSLCredentials(context) if context else None

    def _password(self) -> str:
        return self.sasl_password.get_secret_value() if self.sasl_password else ""


class PipelineSettings(BaseModel):
    """The pipeline: its name keeps it apart from others on one cluster."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        default="", pattern=r"^[A-Za-z0-9_-]{0,64}$",
        description="Prefix of every topic and group (`name.topic`); empty: bare topic names.",
    )  # fmt: skip
    partitions: int = Field(
        default=4, ge=1, le=4096, description="Partitions of every parallel topic; fixed at creation."
    )

    def topic(self, name: str) -> str:
        """The topic's name on the cluster.

        >>> PipelineSettings(name="cats").topic("scores")
        'cats.scores'
        """
        return f"{self.name}.{name}" if self.name else name

    def group(self, stage: str) -> str:
        """The consumer group of a stage.

        >>> PipelineSettings().group("infer")
        'siftstream.infer'
        """
        return f"{self.name or 'siftstream'}.{stage}"


class MetricsSettings(BaseModel):
    """Where a worker shows its metrics."""

    model_config = ConfigDict(extra="forbid")

    port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port of `/metrics` (Prometheus); 0: none. Where several workers share a machine each"
        " takes the next free one of 64 and says so in its log.",
    )
    host: str = Field(default="127.0.0.1", description="Address on which `/metrics` listens.")
