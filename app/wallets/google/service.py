"""What we know of Google's side: classes, objects, alerts spent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards import service as cards
from app.db import insert_if_new
from app.settings import Settings
from app.wallets.google.models import GoogleAlert, GoogleClass, GoogleObject
from app.wallets.view import ProgrammeView, TierView

ALERTS_MAX = 3
NEWS_MAX = 2  # of these: one is kept for the balance
ALERT_SPAN = timedelta(hours=24)
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """How often an object sounded in the last 24 hours: for its fields, such as the balance, and for messages."""

    fields: int = 0
    messages: int = 0

    @property
    def left_for_news(self) -> int:
        """How many messages may still sound. Google counts both kinds; the last alert is the balance's."""
        return max(0, NEWS_MAX - self.messages - self.fields)

    def left_for_balances(self, *, is_at_till: bool) -> int:
        """How many changes of the balance may still sound; the last one is kept for what happens at a till."""
        most = ALERTS_MAX if is_at_till else ALERTS_MAX - 1
        return max(0, most - self.fields - min(self.messages, NEWS_MAX))


NO_ALERTS = Alerts()


def is_ready(settings: Settings) -> bool:
    """Whether cards can be put into Google Wallet here; doors hide the button otherwise."""
    return settings.google_ready


def class_row(session: Session, *, programme_id: int, tier_id: int | None, class_id: str, now: datetime) -> GoogleClass:
    """The row of this class, made if it is new; two callers at once get the same one."""
    values = {
        "programme_id": programme_id, "tier_id": tier_id, "class_id": class_id, "sent": None, "sent_hash": "",
        "created_at": now,
    }  # fmt: skip
    wanted = select(GoogleClass).where(GoogleClass.class_id == class_id)
    found = session.scalars(wanted).one_or_none()
    if found is None:
        insert_if_new(session, GoogleClass, **values)
        found = session.scalars(wanted).one()
    return found


def object_row(session: Session, *, card_id: int, object_id: str, now: datetime) -> GoogleObject:
    """The row of this card's object, made if it is new; two callers at once get the same one."""
    values = {
        "card_id": card_id, "object_id": object_id, "sent": None, "sent_hash": "", "holders": 0, "created_at": now,
        "messages": [],
    }  # fmt: skip
    wanted = select(GoogleObject).where(GoogleObject.card_id == card_id)
    found = session.scalars(wanted).one_or_none()
    if found is None:
        insert_if_new(session, GoogleObject, **values)
        found = session.scalars(wanted).one()
    return found


def alerts_spent(session: Session, *, scope: str, budget: str, ids: Iterable[int], now: datetime) -> Mapping[int, int]:
    """How many alerts of a budget were spent in the last 24 hours, by object or class; those without any are absent."""
    spent = (
        select(GoogleAlert.scope_id, func.count())
        .where(
            GoogleAlert.scope == scope, GoogleAlert.budget == budget, GoogleAlert.at > now - ALERT_SPAN,
            GoogleAlert.scope_id.in_(sorted(set(ids))),
        )
        .group_by(GoogleAlert.scope_id)
    )  # fmt: skip
    return {row[0]: row[1] for row in session.execute(spent)}


def object_alerts(session: Session, ids: Iterable[int], *, now: datetime) -> Mapping[int, Alerts]:
    """The alerts of objects in the last 24 hours, by the object's row id; those without any are absent."""
    spent = (
        select(GoogleAlert.scope_id, GoogleAlert.budget, func.count())
        .where(
            GoogleAlert.scope == "object", GoogleAlert.at > now - ALERT_SPAN,
            GoogleAlert.scope_id.in_(sorted(set(ids))),
        )
        .group_by(GoogleAlert.scope_id, GoogleAlert.budget)
    )  # fmt: skip
    found: dict[int, dict[str, int]] = {}
    for object_id, budget, count in session.execute(spent):
        found.setdefault(object_id, {})[f"{budget}s"] = count
    return {object_id: Alerts(**counts) for object_id, counts in found.items()}


def spend_alert(session: Session, *, scope: str, scope_id: int, budget: str, now: datetime, count: int = 1) -> None:
    """Note alerts that were spent, or that Google says were."""
    session.add_all(GoogleAlert(scope=scope, scope_id=scope_id, budget=budget, at=now) for _ in range(count))


def picture_addresses(session: Session, programme_id: int, base_url: str) -> dict[str, str]:
    """Public addresses of the uploaded pictures by slot; an address changes with its picture, so it is fetched anew."""
    found = cards.assets(session, programme_id)
    return {
        slot: f"{base_url}/assets/{asset.sha256}.{EXTENSIONS[asset.media_type]}"
        for slot, asset in found.items()
        if asset.media_type in EXTENSIONS
    }


def tiers_of(programme: ProgrammeView) -> Sequence[TierView | None]:
    """One class stands for each; the first is for members who have not reached a tier."""
    return (None, *programme.tiers)
