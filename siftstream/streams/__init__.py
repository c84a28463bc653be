"""How it travels: Faust on Kafka made safe."""
