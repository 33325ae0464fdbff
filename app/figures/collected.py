"""All figures in Prometheus' text format, each group read no more often than it is worth."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy.orm import Session

from app.figures import books, delivery, machine, promises
from app.world import World

LOGGER = logging.getLogger(__name__)

Read = Callable[[World, Session], Iterable[Metric]]


@dataclass(kw_only=True)
class _Group:
    """Figures read together, and the last that were read; one thread reads, the others are given what was read last."""

    read: Read
    kept_s: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    found: Sequence[Metric] = ()
    read_at: float = float("-inf")


class Figures:
    """What /metrics says besides the counts of its own process."""

    def __init__(self) -> None:
        ledger = books.LedgerCounts()
        self._groups = (
            _Group(read=delivery.tallies, kept_s=0),
            _Group(read=delivery.backlogs, kept_s=10),
            _Group(read=delivery.conditions, kept_s=10),
            _Group(read=delivery.senders, kept_s=0),
            _Group(read=ledger.metrics, kept_s=0),
            _Group(read=promises.offers, kept_s=60),
            _Group(read=promises.safety, kept_s=10),
            _Group(read=promises.certificates, kept_s=10),
            _Group(read=machine.nodes, kept_s=0),
            _Group(read=machine.storage, kept_s=60),
        )

    def text(self, world: World) -> bytes:
        """The figures; a group that cannot be read is left out and counted as unread."""
        found: list[Metric] = []
        unread = 0
        for group in self._groups:
            try:
                found += _fresh(group, world)
            except Exception:
                LOGGER.exception("figures for /metrics could not be read")
                unread += 1
        found.append(GaugeMetricFamily("tessera_figures_unread", "Groups of figures missing below.", value=unread))
        registry = CollectorRegistry()
        registry.register(_Found(found))
        return generate_latest(registry)


def _fresh(group: _Group, world: World) -> Sequence[Metric]:
    with group.lock:
        if time.monotonic() - group.read_at >= group.kept_s:
            with world.database.reading() as session:
                group.found = tuple(group.read(world, session))
            group.read_at = time.monotonic()
        return group.found


class _Found:
    """Metrics that were read already, as a registry wants them."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics
