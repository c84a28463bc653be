"""The window of one partition: its last samples in flat arrays, rebuilt from the log."""
