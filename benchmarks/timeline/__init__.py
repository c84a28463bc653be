"""Annotators and trainers side by side on a real broker: who waits for whom, and when versions come."""
