"""Logs of a worker: one line a record on stderr, with time and who speaks."""

import logging
import traceback
from pathlib import Path

from siftstream.cli.told import debugging


class OneLine(logging.Formatter):
    """Folds a record into one line; an exception becomes its type, message and place."""

    def __init__(self, name: str, *, tracebacks: bool = False) -> None:
        """Args: who speaks (`infer-0`); whether whole tracebacks are wanted."""
        super().__init__(f"%(asctime)s.%(msecs)03d {name} %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        if self._tracebacks:
            return super().format(record)
        error = record.exc_info[1] if record.exc_info else None
        record = logging.makeLogRecord(
            {**record.__dict__, "exc_info": None, "exc_text": None, "stack_info": None}
        )
        line = " ".join(super().format(record).split("\n"))
        return f"{line} ({summary(error)})" if error is not None else line


def summary(error: BaseException) -> str:
    """Return type, message and place of an exception in one line.

    >>> try: int("x")
    ... except ValueError as error: print(summary(error))
    ValueError: invalid literal for int() with base 10: 'x' at ...
    """
    words = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {words}{place}"


def set_up_logging(name: str) -> None:
    """Log to stderr: siftstream from INFO, all others from WARNING."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(name, tracebacks=debugging()))
    if not debugging():
        # kafka-python only makes the topics here; what it fails at is told in a sentence
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        handler.addFilter(no_housekeeping)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("siftstream").setLevel(logging.INFO)


def no_housekeeping(record: logging.LogRecord) -> bool:
    """Leave out what Faust's services say of their starts and stops (`[^StageApp]: Starting...`)."""
    return record.levelno > logging.INFO or not str(record.msg).startswith("[^")
