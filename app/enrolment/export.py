"""Everything we keep about one member, as a ZIP of JSON and CSV with an explanation."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import money
from app.cards import people, preferences
from app.cards.models import Card, Consent, Store
from app.i18n import text
from app.ledger import service as ledger
from app.ledger.models import Entry
from app.offers.models import Offer, Redemption
from app.wallets.apple.models import Registration
from app.wallets.google.models import GoogleObject

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
EXPLANATION = (
    "This is everything that %(programme)s keeps about you.\n\n"
    "member.json: your name, contact, card, answers about messages, and which wallets hold your card.\n"
    "entries.csv and entries.json: every change of your balance.\n"
    "offers.csv and offers.json: the offers you used.\n"
    "Times are in UTC.\n"
)


def archive(session: Session, card: Card, *, now: datetime) -> bytes:
    """A ZIP with all of the member's data, made at *now*."""
    entries, offers = _entries(session, card), _offers(session, card)
    readme = text(card.member.language, EXPLANATION, programme=card.programme.name)
    files = {
        "README.txt": readme,
        "member.json": _json(_member(session, card, now)),
        "entries.json": _json(entries),
        "entries.csv": _csv(entries),
        "offers.json": _json(offers),
        "offers.csv": _csv(offers),
    }
    sink = io.BytesIO()
    stamp = now.timetuple()[:6]
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(zipfile.ZipInfo(name, date_time=stamp), content, zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def _member(session: Session, card: Card, now: datetime) -> dict[str, Any]:
    member = card.member
    person = people.of(session, member)
    consents = session.scalars(select(Consent).where(Consent.member_id == member.id).order_by(Consent.id))
    phones = session.scalars(select(Registration).where(Registration.card_id == card.id))
    google = session.scalars(select(GoogleObject).where(GoogleObject.card_id == card.id)).one_or_none()
    return {
        "made_at": now.isoformat(),
        "id": member.public_id,
        "name": person.name,
        "email": person.email,
        "phone": person.phone,
        "birthday": person.birthday,
        "language": member.language,
        "preferences": asdict(preferences.of(session, member)),
        "attributes": member.attributes,
        "joined_at": member.created_at.isoformat(),
        "joined_through": member.source,
        "card": {
            "number": card.number,
            "programme": card.programme.name,
            "tier": card.tier.name if card.tier else None,
            "balance": ledger.balance_of(session, member.id),
            "qualifying_spend": money.decimal_text(card.qualifying_minor, card.programme.currency),
            "currency": card.programme.currency,
        },
        "answers": [
            {"purpose": one.purpose, "channel": one.channel, "yes": one.granted, "text_version": one.text_version}
            | {"language": one.language, "asked_through": one.source, "proof": one.proof, "at": one.at.isoformat()}
            for one in consents
        ],
        "apple_wallet": [{"added_at": one.created_at.isoformat()} for one in phones],
        "google_wallet": {"saved_at": google.saved_at.isoformat()} if google and google.saved_at else None,
    }


def _entries(session: Session, card: Card) -> list[dict[str, Any]]:
    stores = {one.id: one.name for one in session.scalars(select(Store).where(Store.programme_id == card.programme_id))}
    wanted = select(Entry).where(Entry.card_id == card.id).order_by(Entry.recorded_at, Entry.id)
    return [
        {
            "id": one.id,
            "at": one.occurred_at.isoformat(),
            "kind": one.kind,
            "points": one.points,
            "amount": money.decimal_text(one.amount_minor, one.currency)
            if one.amount_minor is not None and one.currency
            else "",
            "currency": one.currency or "",
            "store": stores.get(one.store_id or 0, ""),
            "receipt": one.receipt or "",
            "reverses": one.reverses_id or "",
        }
        for one in session.scalars(wanted)
    ]


def _offers(session: Session, card: Card) -> list[dict[str, Any]]:
    used = select(Redemption, Offer).join(Offer).where(Redemption.card_id == card.id).order_by(Redemption.id)
    return [
        {
            "offer": offer.title,
            "used_at": use.at.isoformat(),
            "taken_back_at": use.reversed_at.isoformat() if use.reversed_at else "",
        }
        for use, offer in session.execute(used)
    ]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows({key: _harmless(value) for key, value in row.items()} for row in rows)
    return "\ufeff" + sink.getvalue()


def _harmless(value: Any) -> Any:
    """A spreadsheet would run a text that begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
