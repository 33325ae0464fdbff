"""The processes of this installation, and the store under them."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.alarms import conditions
from app.delivery.models import LaneState, Node
from app.world import World

ROLES = ("web", "worker", "scheduler")
STATES = text(
    "SELECT coalesce((SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'target'), 0), "
    "coalesce((SELECT extract(epoch FROM max(clock_timestamp() - xact_start)) FROM pg_stat_activity "
    "WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid()), 0)"
)
MAY_LIST_WAL = text("SELECT has_function_privilege('pg_ls_waldir()', 'execute')")
WAL = text("SELECT coalesce(sum(size), 0) FROM pg_ls_waldir()")


def nodes(world: World, session: Session) -> Iterable[Metric]:
    """Who lives, and whether schedulers send in the workers' stead."""
    now = world.clock()
    living: Counter[str] = Counter()
    youngest: dict[str, float] = {}
    for role, beat_at in session.execute(select(Node.role, Node.beat_at)):
        age_s = max(0.0, (now - beat_at).total_seconds())
        for name in ROLES:
            if role == name or (name != "web" and conditions.plays(role, name)):
                youngest[name] = min(age_s, youngest.get(name, age_s))
                living[name] += age_s <= conditions.SILENT_AFTER.total_seconds()
    alive = GaugeMetricFamily("tessera_nodes", "Processes that beat within a minute.", labels=["role"])
    beats = GaugeMetricFamily("tessera_node_beat_age_seconds", "Since the last sign of life.", labels=["role"])
    for name in ROLES:
        alive.add_metric([name], living[name])
        if name in youngest:
            beats.add_metric([name], youngest[name])
    degraded = session.scalar(select(func.max(LaneState.degraded_since))) or 0
    return [
        alive,
        beats,
        GaugeMetricFamily(
            "tessera_scheduler_is_leader", "1 while a scheduler says it works.", value=int(living["scheduler"] > 0)
        ),
        GaugeMetricFamily(
            "tessera_degraded", "1 while schedulers send because workers do not hear.", value=int(degraded > 0)
        ),
    ]


def storage(world: World, session: Session) -> Iterable[Metric]:
    """Disk and database; what a kind of database does not have is absent."""
    dead = GaugeMetricFamily("tessera_dead_rows", "Dead rows of the busiest table (PostgreSQL).", labels=["table"])
    snapshot = GaugeMetricFamily("tessera_oldest_snapshot_seconds", "Age of the oldest transaction (PostgreSQL).")
    wal = GaugeMetricFamily("tessera_wal_bytes", "Size of the write-ahead log.")
    if world.database.is_sqlite:
        file = Path(f"{world.database.engine.url.database}-wal")
        wal.add_metric([], file.stat().st_size if file.exists() else 0)
    else:
        rows, oldest_s = session.execute(STATES).one()
        dead.add_metric(["target"], int(rows))
        snapshot.add_metric([], float(oldest_s))
        if session.scalar(MAY_LIST_WAL):
            wal.add_metric([], int(session.scalar(WAL) or 0))
    free = GaugeMetricFamily("tessera_disk_free_bytes", "Room left where the data lie.")
    free.add_metric([], conditions.free_bytes(world))
    return [dead, snapshot, wal, free]
