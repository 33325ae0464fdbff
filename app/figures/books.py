"""What moved in the ledger."""

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from prometheus_client.core import CounterMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.ledger.models import Entry
from app.world import World

KINDS = ("earn", "spend", "offer", "reverse")
SETTLED_AFTER = timedelta(minutes=5)


class LedgerCounts:
    """Transactions by kind. What is older than five minutes is counted once and remembered: ids sort by time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settled: Counter[str] = Counter()
        self._up_to = ""

    def by_kind(self, session: Session, now: datetime) -> dict[str, int]:
        """How many there are of each kind."""
        with self._lock:
            edge = f"txn_{int((now - SETTLED_AFTER).timestamp() * 1000):012x}"
            if edge > self._up_to:
                self._settled += _counted(session, self._up_to, edge)
                self._up_to = edge
            total = self._settled + _counted(session, self._up_to, None)
        return {kind: total[kind] for kind in KINDS}

    def metrics(self, world: World, session: Session) -> Iterable[Metric]:
        """As a counter."""
        family = CounterMetricFamily("tessera_transactions", "Entries in the ledger.", labels=["kind"])
        for kind, count in self.by_kind(session, world.clock()).items():
            family.add_metric([kind], count)
        return [family]


def _counted(session: Session, after: str, before: str | None) -> Counter[str]:
    query = select(Entry.kind, func.count()).where(Entry.id >= after).group_by(Entry.kind)
    if before is not None:
        query = query.where(Entry.id < before)
    return Counter({kind: int(count) for kind, count in session.execute(query)})
