"""Figures that live in the database, for /metrics: whoever is asked is not always who did the work."""

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards.models import Programme
from app.delivery.book import LAG_BUCKETS_S
from app.delivery.models import Node, Tally
from app.ledger.models import Entry
from app.outbox.models import Target
from app.outbox.rules import Lane
from app.wallets.apple.issuer import issuer
from app.world import World

LOGGER = logging.getLogger(__name__)

KINDS = ("earn", "spend", "offer", "reverse")
CHANNELS = ("apple", "google")
BEAT_FRESH = timedelta(seconds=30)
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


class Figures:
    """What /metrics says besides the counts of its own process."""

    def __init__(self) -> None:
        self._ledger = LedgerCounts()

    def text(self, world: World) -> bytes:
        """The figures in Prometheus' text format; what cannot be read is left out and counted as unread."""
        found: list[Metric] = []
        unread = 0
        for read in (_delivery, _behind, _scheduler, self._transactions, _certificates):
            try:
                with world.database.reading() as session:
                    found += read(world, session)
            except Exception:
                LOGGER.exception("a figure for /metrics could not be read")
                unread += 1
        found.append(GaugeMetricFamily("tessera_figures_unread", "Groups of figures missing below.", value=unread))
        registry = CollectorRegistry()
        registry.register(_Found(found))
        return generate_latest(registry)

    def _transactions(self, world: World, session: Session) -> Iterable[Metric]:
        family = CounterMetricFamily("tessera_transactions", "Entries in the ledger.", labels=["kind"])
        for kind, count in self._ledger.by_kind(session, world.clock()).items():
            family.add_metric([kind], count)
        return [family]


class _Found:
    """Metrics that were read already, as a registry wants them."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _counted(session: Session, after: str, before: str | None) -> Counter[str]:
    query = select(Entry.kind, func.count()).where(Entry.id >= after).group_by(Entry.kind)
    if before is not None:
        query = query.where(Entry.id < before)
    return Counter({kind: int(count) for kind, count in session.execute(query)})


def _delivery(_world: World, session: Session) -> Iterable[Metric]:
    pushes = CounterMetricFamily("tessera_push", "What the wallets' services were told.", labels=["channel", "outcome"])
    faults = CounterMetricFamily("tessera_delivery_faults", "Steps of delivery that failed.", labels=["step"])
    buckets: dict[str, Counter[str]] = defaultdict(Counter)
    sums_ms: Counter[str] = Counter()
    for tally in session.scalars(select(Tally).order_by(Tally.name, Tally.label, Tally.detail)):
        if tally.name == "push":
            pushes.add_metric([tally.label, tally.detail], tally.value)
        elif tally.name == "fault":
            faults.add_metric([tally.label], tally.value)
        elif tally.name == "lag":
            buckets[tally.label][tally.detail] = tally.value
        elif tally.name == "lag_sum":
            sums_ms[tally.label] = tally.value
    lag = HistogramMetricFamily(
        "tessera_delivery_lag_seconds", "From a change's commit until the wallet's service took it.", labels=["lane"]
    )
    for lane in Lane:
        label = str(int(lane))
        lag.add_metric([lane.name.lower()], _cumulative(buckets[label]), sums_ms[label] / 1000)
    return [pushes, faults, lag]


def _cumulative(counts: Counter[str]) -> list[tuple[str, float]]:
    total = 0
    found: list[tuple[str, float]] = []
    for bound in LAG_BUCKETS_S:
        total += counts[bound]
        found.append((bound if bound == "+Inf" else str(float(bound)), total))
    return found


def _behind(world: World, session: Session) -> Iterable[Metric]:
    behind = (
        select(Target.channel, func.count(Target.card_id.distinct()), func.min(Target.dirty_since))
        .where(Target.want > Target.done, Target.state == "live", Target.card_id.is_not(None))
        .group_by(Target.channel)
    )
    rows = {channel: (count, since) for channel, count, since in session.execute(behind)}
    cards = GaugeMetricFamily("tessera_cards_behind", "Cards whose wallet is not up to date.", labels=["channel"])
    oldest = GaugeMetricFamily("tessera_oldest_dirty_seconds", "How long the first of them waits.", labels=["channel"])
    now_s = world.clock().timestamp()
    for channel in CHANNELS:
        count, since = rows.get(channel, (0, None))
        cards.add_metric([channel], count)
        oldest.add_metric([channel], max(0.0, now_s - since / 1000) if since is not None else 0.0)
    return [cards, oldest]


def _scheduler(world: World, session: Session) -> Iterable[Metric]:
    fresh = select(Node.name).where(Node.role.in_(("delivery", "scheduler")), Node.beat_at > world.clock() - BEAT_FRESH)
    alive = session.scalar(fresh.limit(1)) is not None
    return [GaugeMetricFamily("tessera_scheduler_is_leader", "1 while a scheduler says it works.", value=int(alive))]


def _certificates(world: World, session: Session) -> Iterable[Metric]:
    now = world.clock()
    used = [
        (row.pass_type_identifier, row.team_identifier)
        for row in session.execute(select(Programme.pass_type_identifier, Programme.team_identifier))
    ]
    family = GaugeMetricFamily(
        "tessera_certificate_expiry_seconds", "Until an Apple pass certificate expires.", labels=["pass_type"]
    )
    left: dict[str, float] = {}
    for finding in issuer(world).identities.problems(used, at=now):
        if finding.expires_at is not None:
            left[finding.pass_type] = (finding.expires_at - now).total_seconds()
    for pass_type, seconds in left.items():
        family.add_metric([pass_type], seconds)
    return [family]
