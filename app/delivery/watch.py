"""What one process has seen of each sender lately: enough to tell a vendor's bad day from a bad row."""

from collections import defaultdict, deque
from collections.abc import Sequence
from threading import Lock

from app.outbox import rules
from app.wallets.channel import Result
from passes.outcome import Outcome

STORM = "The service did not answer or asked us to come back later, again and again."
REFUSING = "The service refused many sends in a row; the design or the configuration is at fault."
DEAD_ADDRESSES = (
    "Unusually many phones were reported gone at once; the certificate or the address of the push service looks wrong. "
    "No phone was forgotten."
)


class Watch:
    """Counts of recent answers by sender; shared by the threads of one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._recent: dict[int, deque[tuple[int, bool]]] = defaultdict(deque)
        self._refused_in_a_row: dict[int, int] = defaultdict(int)

    def note(self, sender_id: int, results: Sequence[Result], *, now_ms: int) -> str:
        """Take in a batch of answers; the words for a breaker that should open for a while, or an empty string."""
        with self._lock:
            recent = self._recent[sender_id]
            recent.extend((now_ms, one.outcome is Outcome.TRY_AGAIN) for one in results)
            while recent and recent[0][0] < now_ms - rules.STORM_SPAN_MS:
                recent.popleft()
            failed = sum(1 for _, try_again in recent if try_again)
            if rules.is_storm(len(recent), failed):
                recent.clear()
                return STORM
            return ""

    def refused_too_often(self, sender_id: int, results: Sequence[Result]) -> str:
        """Count refusals that no other answer interrupted; the words for a breaker, or an empty string."""
        with self._lock:
            for one in results:
                if one.outcome is Outcome.REFUSED:
                    self._refused_in_a_row[sender_id] += 1
                elif one.outcome is Outcome.DELIVERED:
                    self._refused_in_a_row[sender_id] = 0
            if self._refused_in_a_row[sender_id] < rules.REFUSED_IN_A_ROW:
                return ""
            self._refused_in_a_row[sender_id] = 0
            return REFUSING
