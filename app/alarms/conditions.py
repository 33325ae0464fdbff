"""What there is to be alarmed at, at this moment. Each look is one question; none of them changes anything."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.alarms import backups
from app.campaigns.models import CampaignRun
from app.cards.models import Programme
from app.clock import milliseconds
from app.delivery import backlog, checks, snapshots
from app.delivery.models import LaneState, Node
from app.errors import Busy
from app.offers.models import Occurrence, Offer, OfferBudget, OfferBudgetUse
from app.outbox import rules, switches
from app.outbox.models import Sender
from app.outbox.rules import Lane
from app.results import service as results
from app.staff.models import AuditEvent
from app.wallets.apple import renewal
from app.wallets.apple.identities import Severity
from app.wallets.apple.issuer import issuer
from app.wallets.google.client import shared_client
from app.webhooks.models import Endpoint
from app.world import World

URGENT_LATE = timedelta(seconds=60)
NORMAL_LATE = timedelta(minutes=10)
BREAKER_LONG_MS = 5 * 60_000
DAYS_BEFORE = (30, 14, 7, 1)
URGENT_DAYS = 7
BACKUP_OLD = timedelta(hours=26)
UNTRIED_AFTER = timedelta(days=8)
SILENT_AFTER = timedelta(seconds=60)
DEAF_AFTER = timedelta(minutes=2)
DISK_LOW_BYTES = 2 * 1024**3
DISK_FULL_BYTES = 500 * 1024**2
CLOCK_OFF_MS = 2_000
JUMP_REMEMBERED = timedelta(hours=1)
GONE_SPAN = timedelta(minutes=15)
DRIFT_SPAN = timedelta(hours=26)
PARKED_SHOWN = 10

TOPIC = re.compile(r"BadTopic|MissingTopic|TopicDisallowed|DeviceTokenNotForTopic")
TEAM = re.compile(r"InvalidProviderToken|KeyIdInToken|MissingProviderToken")
SERVER = re.compile(r"is not trusted")
GONE = re.compile(r"reported gone", re.IGNORECASE)
Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, as an alarm will say it."""

    kind: str
    subject: str = ""
    severity: str = "bad"
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look is given."""

    world: World
    session: Session
    now: datetime

    @property
    def now_ms(self) -> int:
        return milliseconds(self.now)


def late(look: Look) -> Iterator[Finding]:
    """The one number that matters: how long the first change of a lane waits."""
    owed = backlog.read(look.session, now_ms=look.now_ms)
    for lane, kind, limit in ((Lane.URGENT, "urgent_late", URGENT_LATE), (Lane.NORMAL, "normal_late", NORMAL_LATE)):
        mine = [one for one in owed if one.lane is lane]
        waited_ms = look.now_ms - min((one.oldest_ms for one in mine), default=look.now_ms)
        if waited_ms > limit / timedelta(milliseconds=1):
            values = {"count": sum(one.count for one in mine), "minutes": waited_ms // 60_000}
            yield Finding(kind=kind, values=values)


def offers(look: Look) -> Iterator[Finding]:
    """Starts that nobody was there to fire."""
    missed = select(func.count()).select_from(Occurrence).join(Offer)
    lately = missed.where(Occurrence.status == "missed", Occurrence.fired_at >= look.now - timedelta(days=1))
    if count := look.session.scalar(lately):
        yield Finding(kind="offers_missed", values={"count": count})


def campaigns(look: Look) -> Iterator[Finding]:
    """Campaigns whose time passed while nobody was there to send them."""
    missed = select(func.count()).select_from(CampaignRun)
    lately = missed.where(CampaignRun.state == "missed", CampaignRun.ended_at >= look.now - timedelta(days=1))
    if count := look.session.scalar(lately):
        yield Finding(kind="campaigns_missed", values={"count": count})


def splits(look: Look) -> Iterator[Finding]:
    """Campaigns counted lately whose groups are not of the sizes that were planned: one alarm for each."""
    for one in results.wrong_splits(look.session, since=look.now - timedelta(days=7)):
        yield Finding(kind="campaign_split", subject=one.public_id, severity="warn", values={"name": one.name})


def budgets(look: Look) -> Iterator[Finding]:
    """Offers of which 80 % of a budget are used, while they still run: one alarm for each."""
    query = (
        select(Offer.public_id, Offer.title, Offer.state)
        .join(OfferBudget, OfferBudget.offer_id == Offer.id)
        .join(OfferBudgetUse, OfferBudgetUse.budget_id == OfferBudget.id)
        .where(
            Offer.state.in_(("live", "paused")),
            OfferBudget.period == "all",
            OfferBudgetUse.warned_at.is_not(None),
            OfferBudgetUse.used * 100 >= OfferBudget.most * 80,
        )
        .distinct()
        .order_by(Offer.public_id)
    )
    for public_id, title, state in look.session.execute(query):
        kind = "offer_spent" if state == "paused" else "offer_budget"
        yield Finding(kind=kind, subject=public_id, severity="warn", values={"title": title})


def breakers(look: Look) -> Iterator[Finding]:
    """Senders that are stopped: at once where somebody must act, after five minutes where it may pass."""
    for sender in look.session.scalars(select(Sender).where(Sender.breaker_until > look.now_ms).order_by(Sender.id)):
        for_good = sender.breaker_until >= rules.FOREVER_MS
        if for_good or open_for_ms(sender, look.now_ms) > BREAKER_LONG_MS:
            values = {"sender": sender.name, "reason": sender.breaker_reason.rstrip(".")}
            yield Finding(kind=_kind_of(sender.breaker_reason, for_good), subject=str(sender.id), values=values)


def open_for_ms(sender: Sender, now_ms: int) -> int:
    """For how long a sender that tries again by itself has been stopped: its openings so far follow a fixed series."""
    openings = [rules.breaker_open_ms(number) for number in range(sender.breaker_failures)]
    begun_ms = sender.breaker_until - (openings[-1] if openings else 0)
    return sum(openings[:-1]) + max(0, now_ms - begun_ms)


def _kind_of(reason: str, for_good: bool) -> str:
    if not for_good:
        return "breaker_open"
    patterns = ((TOPIC, "wrong_topic"), (TEAM, "wrong_team"), (SERVER, "server_not_trusted"), (GONE, "gone_guard"))
    return next((kind for pattern, kind in patterns if pattern.search(reason)), "credential_refused")


def switched(look: Look) -> Iterator[Finding]:
    """What somebody stopped by hand, so that nobody forgets it."""
    names = {row.id: row.name for row in look.session.execute(select(Programme.id, Programme.name))}
    for one in switches.stopped(look.session):
        values = {"reason": one.reason.rstrip(".")}
        if one.programme_id is None:
            yield Finding(kind="all_sending_stopped", severity="warn", values=values)
        else:
            scope = names.get(one.programme_id, "?")
            subject = str(one.programme_id)
            yield Finding(kind="sending_stopped", subject=subject, severity="warn", values={**values, "scope": scope})


def certificates(look: Look) -> Iterator[Finding]:
    """Apple's certificates and their intermediate, by the days that are left."""
    pairs = look.session.execute(select(Programme.pass_type_identifier, Programme.team_identifier))
    used = [(pass_type, team) for pass_type, team in pairs]
    for one in issuer(look.world).identities.problems(used, at=look.now):
        if one.severity is Severity.BROKEN:
            fault = dict(getattr(one.sentence, "values", {})).get("fault", one.sentence)
            values: Values = {"pass_type": one.pass_type, "fault": str(fault).rstrip(".")}
            yield Finding(kind="credential_broken", subject=one.pass_type, values=values)
            continue
        reached = [days for days in DAYS_BEFORE if one.days_left is not None and one.days_left <= days]
        if reached and one.expires_at is not None:
            values = {"pass_type": one.pass_type, "days": one.days_left, "day": f"{one.expires_at:%Y-%m-%d}"}
            severity = "bad" if min(reached) <= URGENT_DAYS else "warn"
            yield Finding(
                kind="credential_expires", subject=f"{one.pass_type}/{min(reached)}", severity=severity, values=values
            )
    for refused in renewal.refused(look.session):
        values = {"pass_type": refused.pass_type_identifier, "reason": refused.reason}
        yield Finding(kind="credential_standby", subject=refused.pass_type_identifier, values=values)


def google_key(look: Look) -> Iterator[Finding]:
    """Whether the key of the service account can be used at all; Google itself is not asked."""
    if look.world.settings.google_credentials:
        try:
            shared_client(look.world).account()
        except Busy as problem:
            yield Finding(kind="google_key", values={"fault": (problem.detail or str(problem.public)).rstrip(".")})


def backup(look: Look) -> Iterator[Finding]:
    """The last backup, and the last one that was tried."""
    begun = look.session.scalar(select(func.min(AuditEvent.at))) or look.now
    made = backups.newest(look.session)
    if look.now - (made or begun) > BACKUP_OLD:
        hours = int((look.now - (made or begun)) / timedelta(hours=1))
        yield Finding(kind="backup_old" if made else "backup_none", values={"hours": hours} if made else {})
    elif made and backups.newest(look.session, "verified") is None and look.now - begun > UNTRIED_AFTER:
        yield Finding(kind="backup_untried", severity="warn")


def never(look: Look) -> Iterator[Finding]:
    """The two figures that are always zero."""
    targets, accounts = checks.found(look.session)
    for kind, count in (("want_not_version", targets), ("ledger_mismatch", accounts)):
        if count:
            yield Finding(kind=kind, values={"count": count})


def silent(look: Look) -> Iterator[Finding]:
    """Roles that nobody plays: not to be left to a scheduler's own judgement."""
    alive = look.session.scalars(select(Node.role).where(Node.beat_at >= look.now - SILENT_AFTER)).all()
    for kind, role in (("no_scheduler", "scheduler"), ("no_worker", "worker")):
        if not any(plays(one, role) for one in alive):
            yield Finding(kind=kind)


def plays(node_role: str, role: str) -> bool:
    """Whether a process of that role does this work; `delivery` and `run` do both."""
    return role in node_role or "delivery" in node_role or node_role == "run"


def deaf(look: Look) -> Iterator[Finding]:
    """Workers that live and do nothing."""
    alive = select(Node).where(Node.beat_at >= look.now - SILENT_AFTER, Node.worked_at < look.now - DEAF_AFTER)
    for node in look.session.scalars(alive):
        if node.worked_at is not None and plays(node.role, "worker"):
            minutes = int((look.now - node.worked_at) / timedelta(minutes=1))
            values = {"node": node.name, "minutes": minutes}
            yield Finding(kind="worker_deaf", subject=node.name, severity="warn", values=values)


def disk(look: Look) -> Iterator[Finding]:
    """Room where the data lie."""
    free = free_bytes(look.world)
    if free < DISK_LOW_BYTES:
        severity = "bad" if free < DISK_FULL_BYTES else "warn"
        yield Finding(kind="disk_low", severity=severity, values={"free_mb": free // 1024**2})


def free_bytes(world: World) -> int:
    """What is left on the disk of `var`."""
    folder = world.settings.var_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def clocks(look: Look) -> Iterator[Finding]:
    """Machines whose clock is not the database's, or jumped within the hour."""
    for node in look.session.scalars(select(Node).where(Node.beat_at >= look.now - SILENT_AFTER)):
        has_jumped = node.clock_jumped_at is not None and node.clock_jumped_at >= look.now - JUMP_REMEMBERED
        off_ms = max(abs(node.clock_apart_ms), abs(node.clock_jump_ms) if has_jumped else 0)
        if off_ms > CLOCK_OFF_MS:
            yield Finding(kind="clock", subject=node.name, values={"node": node.name, "seconds": off_ms // 1000})


def broker(look: Look) -> Iterator[Finding]:
    """Whether workers hear of work; where nothing carries hints, nobody needs to hear."""
    if look.world.settings.broker_url:
        since = look.session.scalar(select(func.max(LaneState.degraded_since)))
        if since:
            yield Finding(kind="broker_gone", severity="warn")


def webhooks(look: Look) -> Iterator[Finding]:
    """Endpoints that were switched off because they kept failing."""
    failed = select(Endpoint).where(Endpoint.state == "disabled", Endpoint.reason.in_(("failing", "gone")))
    for one in look.session.scalars(failed.order_by(Endpoint.id)):
        values = {"endpoint": one.description or one.public_id}
        yield Finding(kind="webhook_disabled", subject=one.public_id, severity="warn", values=values)


def gone_jump(look: Look) -> Iterator[Finding]:
    """Unusually many dead addresses within a quarter of an hour."""
    grown = _grown(look, GONE_SPAN, "push:apple:")
    gone, taken = grown.get("gone", 0), grown.get("delivered", 0)
    if rules.looks_like_wrong_credential(gone + taken, gone):
        yield Finding(kind="gone_jump", values={"percent": 100 * gone // (gone + taken)})


def drift(look: Look) -> Iterator[Finding]:
    """Objects at Google that were found to differ from what had been sent, in the last day's sample."""
    if count := _grown(look, DRIFT_SPAN, "drift:google:").get("differs", 0):
        yield Finding(kind="google_drift", severity="warn", values={"count": count})


def _grown(look: Look, span: timedelta, prefix: str) -> Mapping[str, int]:
    return snapshots.grown(look.session, look.now - span, prefix)


def parked(look: Look) -> Iterator[Finding]:
    """Addresses that a vendor refuses for good, by its reason."""
    counts: dict[tuple[str, str], int] = {}
    for one in snapshots.totals(look.session, now=look.now):
        for reason, count in one.refusals.items():
            counts[one.channel, reason] = counts.get((one.channel, reason), 0) + count
    for (channel, reason), count in sorted(counts.items(), key=lambda one: -one[1])[:PARKED_SHOWN]:
        subject = f"{channel}/{reason}"[:200]
        yield Finding(kind="parked", subject=subject, values={"count": count, "reason": reason.rstrip(".") or channel})


LOOKS: Mapping[tuple[str, ...], Callable[[Look], Iterator[Finding]]] = {
    ("urgent_late", "normal_late"): late,
    ("offers_missed",): offers,
    ("campaigns_missed",): campaigns,
    ("campaign_split",): splits,
    ("offer_budget", "offer_spent"): budgets,
    ("breaker_open", "wrong_topic", "wrong_team", "server_not_trusted", "gone_guard", "credential_refused"): breakers,
    ("sending_stopped", "all_sending_stopped"): switched,
    ("credential_broken", "credential_expires", "credential_standby"): certificates,
    ("google_key",): google_key,
    ("backup_old", "backup_none", "backup_untried"): backup,
    ("want_not_version", "ledger_mismatch"): never,
    ("no_scheduler", "no_worker"): silent,
    ("worker_deaf",): deaf,
    ("disk_low",): disk,
    ("clock",): clocks,
    ("broker_gone",): broker,
    ("webhook_disabled",): webhooks,
    ("gone_jump",): gone_jump,
    ("google_drift",): drift,
    ("parked",): parked,
}
# what a scheduler that is gone, or a disk that is full, can no longer write down: pages look for themselves
LIVE = (silent, disk)
