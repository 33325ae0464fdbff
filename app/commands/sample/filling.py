"""Putting the sample shop into a database, and reading what a newcomer needs of it to begin."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards import programmes
from app.cards.models import Card, Member, Programme, Store, Tier
from app.commands.sample import members, shop, telling, today
from app.commands.sample.members import Town
from app.coupons import batches, exchange
from app.coupons.models import Coupon
from app.earning import versions
from app.offers import service as offers
from app.offers.service import OfferDraft
from app.stamps import service as stamps

OPENED_BEFORE = timedelta(days=400)
CODES_SHOWN = 3
SEEN = {
    members.AYSE: "seven stamps of ten",
    members.BUDI: "nearly Gold",
    members.SITI: "a free coffee, and points that end soon",
}


@dataclass(frozen=True, kw_only=True)
class Begin:
    """What a newcomer can open and type at once; empty where the sample was made by an earlier release."""

    cards: tuple[tuple[str, Card], ...] = ()
    gift_card: str = ""
    codes: tuple[str, ...] = ()


def fill(session: Session, passwords: Mapping[str, str], *, now: datetime) -> None:
    """Make the sample programme if it is not there yet; safe to call at every start."""
    now = now.replace(microsecond=0)
    programme = programmes.by_name(session, shop.SLUG)
    if programme is not None:
        first = session.scalars(select(Store).where(Store.programme_id == programme.id).order_by(Store.id)).first()
        shop.hire(session, programme, first, passwords, now=now)
        return
    opened = now - OPENED_BEFORE
    programme = versions.create_programme(session, shop.draft(), now=opened)
    stores = shop.open_shop(session, programme, now=opened)
    shop.hire(session, programme, stores[0], passwords, now=now)
    rewards = shop.fill_catalogue(session, programme, now=opened)
    club = shop.found_club(session, programme, now=opened)
    town = Town(programme=programme, stores=stores, treat=rewards[shop.COFFEE], now=now)
    cards = members.enrol(session, town)
    today.happen(session, town, cards, rewards, club)
    _offers(session, programme, now)
    telling.begin(session, programme, now=now)


def begin(session: Session) -> Begin:
    """Cards to look at, and what can be typed at the till."""
    programme = programmes.by_name(session, shop.SLUG)
    if programme is None or not stamps.of_programme(session, programme.id):
        return Begin()
    gift = select(Card).where(Card.programme_id == programme.id, Card.kind == "gift", Card.status == "active")
    first = session.scalars(gift.order_by(Card.id)).first()
    return Begin(
        cards=tuple(_looked_at(session, programme)),
        gift_card=first.number if first else "",
        codes=_codes(session, programme),
    )


def _looked_at(session: Session, programme: Programme) -> list[tuple[str, Card]]:
    """Members worth a look, with what there is to see."""
    query = select(Card).join(Card.member).where(
        Card.programme_id == programme.id, Member.source == "demo", Card.kind == "loyalty"
    )  # fmt: skip
    enrolled = zip((one.name for one in members.MEMBERS), session.scalars(query.order_by(Card.id)), strict=False)
    return [(SEEN[name], card) for name, card in enrolled if name in SEEN]


def _codes(session: Session, programme: Programme) -> tuple[str, ...]:
    """Codes that nobody has used yet, as long as they can be told."""
    found: list[str] = []
    for batch in batches.of_programme(session, programme.id):
        if batch.state == "ready" and batch.seed is not None and batch.created_by == "demo":
            used = set(
                session.scalars(select(Coupon.no).where(Coupon.batch_id == batch.id, Coupon.used_at.is_not(None)))
            )
            told = exchange.page(session, batch, after=-1, limit=today.CODES)
            found += [exchange.dashed(code) for number, code in told if number not in used]
    return tuple(found[:CODES_SHOWN])


def _offers(session: Session, programme: Programme, now: datetime) -> None:
    """An offer that is on for one level, so that cards of the others show what else there is, and one that will be."""
    tiers = {one.name: one for one in session.scalars(select(Tier).filter_by(programme_id=programme.id))}
    for title, body, texts, start, end, tier in (
        (
            "Cake with your coffee",
            "A slice of carrot cake for free with any large coffee.",
            {
                "tr": {
                    "title": "Kahvenin yanında pasta",
                    "body": "Büyük kahvenin yanında bir dilim havuçlu pasta.",
                },
                "id": {"title": "Kue untuk kopi Anda", "body": "Sepotong kue wortel gratis untuk setiap kopi besar."},
            },
            now - timedelta(hours=1),
            now + timedelta(days=7),
            tiers["Silver"],
        ),
        (
            "Gold weekend",
            "Bring a friend: the second coffee is on us.",
            {
                "tr": {"title": "Altın hafta sonu", "body": "Bir arkadaşınla gel: ikinci kahve bizden."},
                "id": {"title": "Akhir pekan Emas", "body": "Ajak teman: kopi kedua dari kami."},
            },
            now + timedelta(days=2),
            now + timedelta(days=4),
            tiers["Gold"],
        ),
    ):
        draft = OfferDraft(
            programme=programme,
            title=title,
            body=body,
            texts=texts,
            starts_at=start.replace(microsecond=0),
            ends_at=end.replace(microsecond=0),
            timezone=programme.timezone,
            tier=tier,
            limit_per_card=1,
        )
        offers.create(session, draft, by="demo", now=now)
