"""What must hold: offers on time, books that add up, certificates, backups, and the alarms that are open."""

from collections import Counter
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.alarms import backups
from app.alarms import service as alarms
from app.cards.models import Expansion, Programme
from app.delivery import checks
from app.offers.models import Occurrence, Offer
from app.wallets.apple.issuer import issuer
from app.world import World

LATE_BUCKETS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, float("inf"))


def offers(_world: World, session: Session) -> Iterable[Metric]:
    """Offers that started or ended late, or never; and cards that bulk changes have still to look at."""
    fired = select(Occurrence.fired_at, Occurrence.fire_at, Offer.created_at).join(Offer)
    late_s = [
        (fired_at - max(fire_at, known_at)).total_seconds()
        for fired_at, fire_at, known_at in session.execute(fired.where(Occurrence.status == "fired"))
        if fired_at is not None
    ]
    late = HistogramMetricFamily("tessera_offers_late_seconds", "How late offers started or ended.")
    late.add_metric([], _buckets(late_s), sum(late_s))
    missed = session.scalar(select(func.count()).select_from(Occurrence).where(Occurrence.status == "missed"))
    left = select(func.sum(Expansion.audience - Expansion.passed)).where(Expansion.status == "running")
    return [
        late,
        CounterMetricFamily("tessera_offers_missed", "Starts of offers that nobody fired in time.", value=missed or 0),
        GaugeMetricFamily(
            "tessera_campaign_left",
            "Cards that bulk changes have still to look at.",
            value=max(0, int(session.scalar(left) or 0)),
        ),
    ]


def _buckets(late_s: Sequence[float]) -> list[tuple[str, float]]:
    return [
        ("+Inf" if bound == float("inf") else str(bound), sum(one <= bound for one in late_s))
        for bound in LATE_BUCKETS_S
    ]


def safety(world: World, session: Session) -> Iterable[Metric]:
    """The two figures that are always zero, the age of the last backup, and open alarms."""
    targets, accounts = checks.found(session)
    text = "Wallets that are to get another version than their card has; always 0."
    yield GaugeMetricFamily("tessera_want_not_version", text, value=targets)
    text = "Accounts that differ from the sum of their postings; always 0."
    yield GaugeMetricFamily("tessera_ledger_mismatch", text, value=accounts)
    age = GaugeMetricFamily("tessera_backup_age_seconds", "Since the last backup; absent before the first.")
    if (made := backups.newest(session)) is not None:
        age.add_metric([], (world.clock() - made).total_seconds())
    yield age
    counts = Counter(one.severity for one in alarms.seen_now(world, session, now=world.clock()))
    family = GaugeMetricFamily("tessera_alarms_open", "Alarms that are open.", labels=["severity"])
    for severity in ("bad", "warn"):
        family.add_metric([severity], counts[severity])
    yield family


def certificates(world: World, session: Session) -> Iterable[Metric]:
    """How long Apple's certificates, or what vouches for them, are still good."""
    now = world.clock()
    pairs = session.execute(select(Programme.pass_type_identifier, Programme.team_identifier))
    used = [(pass_type, team) for pass_type, team in pairs]
    seconds = GaugeMetricFamily(
        "tessera_certificate_expiry_seconds", "Until an Apple pass certificate expires.", labels=["pass_type"]
    )
    days = GaugeMetricFamily("tessera_credential_days_left", "Days until a credential expires.", labels=["name"])
    found = {one.pass_type: one for one in issuer(world).identities.problems(used, at=now)}
    for pass_type, one in found.items():
        if one.expires_at is not None:
            left_s = (one.expires_at - now).total_seconds()
            seconds.add_metric([pass_type], left_s)
            days.add_metric([pass_type], left_s / 86_400)
    return [seconds, days]
