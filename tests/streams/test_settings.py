"""The cluster's address and security reach every client library alike."""

from __future__ import annotations

import ssl
from inspect import signature
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka import KafkaAdminClient
from pydantic import SecretStr, ValidationError

from siftstream.schemas.errors import ConfigError
from siftstream.streams.app import make_app
from siftstream.streams.settings import KafkaSettings, PipelineSettings

PROTOCOLS = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


def settings(protocol: Any, **more: Any) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers="one:9093, two:9093,", security_protocol=protocol,
        sasl_username="me", sasl_password=SecretStr("secret"), **more,
    )  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_faust_connects_as_the_plain_clients_do(protocol: str) -> None:
    kafka = settings(protocol)
    options = kafka.client_options()
    auth = credentials_to_aiokafka_auth(kafka.faust_credentials(), None)
    assert auth["security_protocol"] == options["security_protocol"] == protocol
    assert (
        (auth.get("ssl_context") is not None) == (options["ssl_context"] is not None) == ("SSL" in protocol)
    )
    for name in ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password"):
        assert auth.get(name) == options.get(name)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_aiokafka_and_kafka_python_know_every_option(protocol: str) -> None:
    options = settings(protocol).client_options()
    assert set(options) <= set(signature(AIOKafkaConsumer).parameters)
    assert set(options) <= set(KafkaAdminClient.DEFAULT_CONFIG)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_every_mechanism_reaches_faust(mechanism: Any) -> None:
    credentials = settings("SASL_SSL", sasl_mechanism=mechanism).faust_credentials()
    assert credentials_to_aiokafka_auth(credentials, None)["sasl_mechanism"] == mechanism


def test_a_clients_certificate_and_key_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    context = MagicMock()
    make = MagicMock(return_value=context)
    monkeypatch.setattr(ssl, "create_default_context", make)
    settings("SSL", ssl_cafile="ca.pem", ssl_certfile="me.pem", ssl_keyfile="me.key").ssl_context()
    make.assert_called_once_with(cafile="ca.pem")
    context.load_cert_chain.assert_called_once_with("me.pem", "me.key")


def test_a_certificate_that_is_missing_or_none_is_told(tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("no certificate")
    for path in (nonsense, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match=r"ssl_cafile.*ca\.pem|ssl_cafile.*missing\.pem"):
            settings("SSL", ssl_cafile=str(path)).ssl_context()


def test_the_servers_are_parted_at_commas() -> None:
    assert settings("PLAINTEXT").servers == ["one:9093", "two:9093"]
    assert KafkaSettings().servers == []


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(settings("SASL_SSL"))
    assert "secret" not in settings("SASL_SSL").model_dump_json()


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="bootstrap_server"):
        KafkaSettings.model_validate({"bootstrap_server": "one:9092"})


def test_a_stage_without_a_cluster_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="KAFKA_BOOTSTRAP_SERVERS"):
        make_app("infer", PipelineSettings(), KafkaSettings(), state_dir=tmp_path)


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="another folder"):
        make_app("infer", PipelineSettings(), settings("PLAINTEXT"), state_dir=tmp_path / "file")
