"""Rows as the API shows them; `outgoing` describes the same for readers."""

from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import money
from app.api.calls import Body
from app.cards import people
from app.cards.expansion import Progress
from app.cards.models import Card, Member, Programme, Store, Tier
from app.cards.programmes import design_of
from app.delivery.reach import Reach
from app.earning import words
from app.ledger.models import Entry
from app.offers.models import Offer
from app.settings import Settings

# entries whose note names the reward or the offer that they are about
ABOUT = ("spend", "offer", "hold", "capture", "release")


def moment(at: datetime) -> str:
    """RFC 3339 in UTC, rounded to milliseconds as the database does: reading it back must say the same."""
    return datetime.fromtimestamp(round(at.timestamp() * 1000) / 1000, UTC).isoformat(timespec="milliseconds")


def programme(row: Programme) -> Body:
    return {
        "id": row.public_id,
        "slug": row.slug,
        "name": row.name,
        "currency": row.currency,
        "timezone": row.timezone,
        "language": row.language,
        "pass_type_identifier": row.pass_type_identifier,
        "team_identifier": row.team_identifier,
        "organization_name": row.organization_name,
        "description": row.description,
        "status": row.status,
        "earn": {"points": row.earn_points, "per": money.decimal_text(row.earn_per_minor, row.currency)},
        "tiers": [_tier(one, row.currency) for one in row.tiers],
        "design": design_of(row).as_json(),
        "created_at": moment(row.created_at),
    }


def tier_id(row_id: int) -> str:
    """How the API names a tier."""
    return f"tier_{row_id}"


def store(row: Store, owner: str) -> Body:
    return {
        "id": row.public_id,
        "programme": owner,
        "name": row.name,
        "timezone": row.timezone,
        "latitude": row.latitude,
        "longitude": row.longitude,
        "region": row.region,
        "created_at": moment(row.created_at),
    }


def card(row: Card, *, balance: int, tier: str | None, settings: Settings) -> Body:
    page = f"{settings.base_url}/c/{row.link}"
    return {
        "number": row.number,
        "serial": row.serial,
        "balance": balance,
        "tier": tier,
        "status": row.status,
        "version": row.version,
        "links": {
            "page": page,
            "apple": f"{page}.pkpass",
            "google": f"{page}/google" if settings.google_ready else None,
        },
    }


def enrolled(row: Member, owner: str) -> Body:
    """A member without anything that names them."""
    return {
        "id": row.public_id,
        "programme": owner,
        "status": row.status,
        "language": row.language,
        "marketing_consent": row.marketing_consent,
        "created_at": moment(row.created_at),
    }


def person(session: Session, row: Member, owner: str) -> Body:
    """A member with their personal data; an erased one has none."""
    known = people.of(session, row)
    return {
        **enrolled(row, owner),
        "name": known.name or None,
        "email": known.email,
        "phone": known.phone,
        "birthday": known.birthday,
        "attributes": row.attributes,
        "erased_at": moment(row.erased_at) if row.erased_at else None,
    }


def transaction(row: Entry, *, number: str, store_id: str | None) -> Body:
    kind, _, subject = row.note.partition(":") if row.kind in ABOUT else ("", "", "")
    return {
        "id": row.id,
        "kind": row.kind,
        "card": number,
        "points": row.points,
        "amount": _amount(row),
        "currency": row.currency,
        "store": store_id,
        "receipt": row.receipt,
        "reward": subject if kind == "reward" else None,
        "offer": subject if kind == "offer" else None,
        "reverses": row.reverses_id,
        "note": "" if kind in {"reward", "offer"} else row.note,
        "reasons": [words.text(reason) for reason in row.reasons],
        "channel": row.channel,
        "occurred_at": moment(row.occurred_at),
        "recorded_at": moment(row.recorded_at),
    }


def transactions(session: Session, rows: Iterable[Entry], number: str) -> list[Body]:
    """Entries of one card, with their stores looked up in one statement."""
    rows = list(rows)
    stores = store_ids(session, {row.store_id for row in rows if row.store_id is not None})
    return [transaction(row, number=number, store_id=stores.get(row.store_id or 0)) for row in rows]


def store_ids(session: Session, ids: set[int]) -> dict[int, str]:
    """Public ids of stores."""
    if not ids:
        return {}
    return {
        row.id: row.public_id for row in session.execute(select(Store.id, Store.public_id).where(Store.id.in_(ids)))
    }


def offer(row: Offer, owner: str) -> Body:
    return {
        "id": row.public_id,
        "programme": owner,
        "title": row.title,
        "body": row.body,
        "texts": row.texts,
        "starts_at": moment(row.starts_at),
        "ends_at": moment(row.ends_at),
        "timezone": row.timezone,
        "segment": tier_id(row.tier_id) if row.tier_id else "all",
        "limit_per_card": row.limit_per_card,
        "limit_total": row.limit_total,
        "used": row.used,
        "announce": row.announce,
        "state": row.state,
        "created_at": moment(row.created_at),
    }


def reach(found: Reach) -> Body:
    return {
        "cards": found.cards,
        "apple_phones": found.apple_phones,
        "google_cards": found.google_cards,
        "is_exact": found.is_exact,
        "apple_seconds": found.apple_seconds,
        "google_seconds": found.google_seconds,
    }


def bulk_change(now: Progress, seconds_left: int | None) -> Body:
    return {
        "reason": now.reason,
        "state": now.state,
        "audience": now.audience,
        "touched": now.touched,
        "left": now.left,
        "phones_behind": now.behind.most,
        "seconds_left": seconds_left,
        "created_at": moment(now.created_at),
        "started_at": moment(now.started_at) if now.started_at else None,
        "finished_at": moment(now.finished_at) if now.finished_at else None,
    }


def _tier(row: Tier, currency: str) -> Body:
    factor = Fraction(row.multiplier_num, row.multiplier_den)
    hundredths = int(factor * 100)
    return {
        "id": tier_id(row.id),
        "name": row.name,
        "threshold": money.decimal_text(row.threshold_minor, currency),
        "multiplier": f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip("."),
        "background_color": row.background_color,
        "texts": row.texts,
    }


def _amount(row: Entry) -> str | None:
    if row.amount_minor is None or row.currency is None:
        return None
    return money.decimal_text(row.amount_minor, row.currency)
