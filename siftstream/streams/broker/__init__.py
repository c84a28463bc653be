"""A real Kafka on this machine: one node as a child process that never outlives whoever started it."""

from siftstream.streams.broker.local import LocalBroker

__all__ = ["LocalBroker"]
