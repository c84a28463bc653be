"""Waiting for what is away: the broker, a store, the samples. The work is not to blame and goes on."""

from collections.abc import Awaitable, Callable
from logging import getLogger
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_not_exception_type,
    wait_random_exponential,
)

from siftstream.schemas.errors import EmitTimeout, UnavailableError

log = getLogger(__name__)
T = TypeVar("T")


async def until_there(call: Callable[[], Awaitable[T]], *, longest: float = 10.0) -> T:
    """Return what `call` gives, trying again with growing pauses for as long as something is unavailable.

    Args:
        call: What is tried.
        longest: Pause between two tries at most, seconds.

    Raises:
        EmitTimeout: the broker did not acknowledge in time; what was written may be in the log.
    """
    patience = AsyncRetrying(
        retry=retry_if_exception_type(UnavailableError) & retry_if_not_exception_type(EmitTimeout),
        wait=wait_random_exponential(multiplier=0.2, max=longest),
        before_sleep=_tell,
        reraise=True,
    )

    async def called() -> T:  # tenacity awaits what a coroutine function returns, not what a lambda does
        return await call()

    return await patience(called)


def _tell(state: RetryCallState) -> None:
    outcome = state.outcome
    if state.attempt_number in (1, 2) or state.attempt_number % 10 == 0:
        log.warning("retrain waits: %s", outcome.exception() if outcome else "")
