"""What the audit slice tells: live accuracy on the stream, and what choosing by a strategy was worth."""
