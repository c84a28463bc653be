"""What the broker is told: its server properties and its logging, with paths relative to its folder."""

STORAGE = "kafka"
"""The folder for Kafka's own files inside the broker's folder."""

MESSAGE_LIMIT = 8 * 1024 * 1024
"""Largest record batch in bytes; a micro-batch must fit."""

PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={storage}
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
background.threads=2
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.threads=1
log.segment.bytes=134217728
message.max.bytes={message_limit}
replica.fetch.max.bytes={message_limit}
metadata.log.segment.bytes=16777216
"""

LOGGING = """Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout: {pattern: "[%d] %p %m (%c)%n"}
  Loggers:
    Root: {level: WARN, AppenderRef: [{ref: STDOUT}]}
    Logger:
      - {name: kafka.server.KafkaRaftServer, level: INFO}
"""


def server_properties(port: int, controller_port: int) -> str:
    """Return `server.properties` for one node that listens on 127.0.0.1 alone."""
    return PROPERTIES.format(
        port=port, controller_port=controller_port, storage=STORAGE, message_limit=MESSAGE_LIMIT
    )
