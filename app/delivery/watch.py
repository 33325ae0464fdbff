"""What one process has seen of each sender lately: refusals without end mean that a design or a setting is at fault.

Unlike a vendor's bad day, which is counted in the database, this is seen the same by every process: a wrong design is
refused to all of them, so each needs only its own count.
"""

from collections import defaultdict
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
    """Refusals that no success interrupted, by sender; shared by the threads of one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._refused_in_a_row: dict[int, int] = defaultdict(int)

    def refused_too_often(self, sender_id: int, results: Sequence[Result]) -> str:
        """Count a batch of answers, plain successes left out; the words for a breaker, or an empty string."""
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

    def went_well(self, sender_id: int) -> None:
        """A send was taken."""
        with self._lock:
            self._refused_in_a_row.pop(sender_id, None)
