"""Pushes over HTTP/2: one kept connection for each credential of a process, and an answer for every push."""

import time
import weakref
from collections.abc import Sequence

from app.wallets.apple.batches import Batch, Wake, Woken
from app.wallets.apple.dial import Access
from app.wallets.apple.line import Line, TokenSource
from app.wallets.apple.link import Patience
from passes.apple.push import DEADLINE_S, Failure, failed

PING_AFTER_S = 60.0
IDLE_CLOSE_S = 30 * 60.0
SENDING_S = 40.0  # how long a batch may go on being sent where the caller names no end
OVERDUE = Woken(answer=failed(Failure.TIMEOUT), detail="no answer in time")


class ApnsClient:
    """One credential's way to APNs, for all threads of a process. Its connection closes when nobody holds it."""

    def __init__(
        self,
        access: Access,
        *,
        tokens: TokenSource | None = None,
        deadline_s: float = DEADLINE_S,
        idle_close_s: float = IDLE_CLOSE_S,
        ping_after_s: float = PING_AFTER_S,
    ) -> None:
        self._deadline_s = deadline_s
        patience = Patience(answer_s=deadline_s, idle_s=idle_close_s, silence_s=ping_after_s)
        self._line = Line(access, tokens=tokens, patience=patience)
        weakref.finalize(self, self._line.stop)

    def send(
        self, wakes: Sequence[Wake], *, topic: str, lane: int = 0, sending_s: float = SENDING_S
    ) -> list[Woken | None]:
        """Push, and wait for every answer or its deadline; one result for each, in order. Never raises for a fault.

        Lanes with smaller numbers go first. None stands for a push that could not be sent within *sending_s*.
        """
        if not wakes:
            return []
        batch = Batch(wakes, topic=topic, lane=lane, until=time.monotonic() + sending_s)
        self._line.submit(batch)
        # the line itself ends every request in time: this is for a line that broke down
        if batch.done.wait(sending_s + 2 * self._deadline_s):
            return batch.results
        return [one or OVERDUE for one in batch.results]

    def close(self) -> None:
        """Close the connection; the next `send` opens another."""
        self._line.stop()
