"""Why the broker ended: its log's last lines, and one sentence for the causes that are known."""

from pathlib import Path

CAUSES = (
    ("No space left on device", "the disk of {data} is full: free some space or choose another --data"),
    ("Failed to bind", "port {port} was taken: stop the process that listens there or choose another --port"),
    ("Address already in use", "port {port} was taken: stop what listens there or choose another --port"),
    ("Failed to acquire lock", "another broker runs on {data}: stop it or choose another --data"),
    ("Permission denied", "a file in {data} may not be written: check who owns it or choose another --data"),
    ("OutOfMemoryError", "the JVM ran out of memory: lower the load"),
    ("Could not reserve enough space", "this machine has too little free memory for the JVM: free some"),
    ("Invalid cluster.id", "{data} holds the files of another cluster: choose another --data"),
    ("Unsupported major.minor", "this Java is too old: put a newer one on PATH"),
)


def tail(log: Path, lines: int = 8, since: int = 0) -> list[str]:
    """Return the last lines of a log that are not stack frames, from byte `since` on."""
    try:
        with log.open("rb") as handle:
            handle.seek(max(since, log.stat().st_size - 65_536))
            text = handle.read().decode(errors="replace")
    except OSError:
        return []
    told = [line for line in text.splitlines() if line.strip() and not line.startswith(("\tat ", "\t..."))]
    return told[-lines:]


def bind_failed(log: Path, since: int) -> bool:
    """Whether the broker found its port taken."""
    return any("bind" in line or "Address already in use" in line for line in tail(log, 200, since))


def explain(log: Path, since: int, port: int, data: Path) -> str:
    """Return a sentence's end: the known cause and remedy, else the log's last lines."""
    text = "\n".join(tail(log, 200, since))
    for sign, sentence in CAUSES:
        if sign in text:
            return f"{sentence.format(port=port, data=data)} (log: {log})."
    last = tail(log, 8, since)
    if not last:
        return f"its log {log} says nothing: look at the system's log for a killed process."
    return f"see {log}, which ends with:\n" + "\n".join(f"  {line}" for line in last)
