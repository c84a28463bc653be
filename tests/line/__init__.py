"""The whole line on a real broker: what only all stages together can show."""
