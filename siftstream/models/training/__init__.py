"""What learns: a training run in a child process, the only place where torch is imported."""
