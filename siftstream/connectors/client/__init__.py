"""The Python client: push, query and label from outside, over Kafka alone."""

from siftstream.connectors.client.answer import Answer
from siftstream.connectors.client.asynchronous import AsyncClient
from siftstream.connectors.client.pushed import Pushed
from siftstream.connectors.client.settings import ClientSettings
from siftstream.connectors.client.synchronous import Client

__all__ = ["Answer", "AsyncClient", "Client", "ClientSettings", "Pushed"]
