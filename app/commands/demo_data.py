"""The sample programme: a coffee shop with three stores, members who have been shopping for months, and offers."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards import people, programmes
from app.cards import service as cards
from app.cards.models import Card, Programme, Store, Tier
from app.cards.programmes import ProgrammeDraft, TierDraft
from app.counter import rewarding, sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.earning import versions
from app.offers import service as offers
from app.offers.service import OfferDraft
from app.rewards import catalogue
from app.rewards.catalogue import RewardDraft
from app.staff import service as staff

PASS_TYPE = "pass.example.tessera.demo"
TEAM = "DEMO123456"
SLUG = "kahve-duragi"
STAFF = (
    ("owner@demo.example", "owner", "Deniz Aydın"),
    ("cashier@demo.example", "cashier", "Ece Kaya"),
    ("marketer@demo.example", "marketer", "Bima Pratama"),
)
MEMBERS = (
    ("Ayşe Yılmaz", "tr", 14),
    ("Budi Santoso", "id", 9),
    ("Grace Miller", "en", 30),
    ("Mehmet Demir", "tr", 4),
    ("Siti Rahayu", "id", 22),
    ("İpek Şahin", "tr", 2),
)
SEED = 20261121


class Shop(NamedTuple):
    """A sample store."""

    name: str
    zone: str
    latitude: float
    longitude: float


STORES = (
    Shop("Kadıköy", "Europe/Istanbul", 40.9903, 29.0290),
    Shop("Beşiktaş", "Europe/Istanbul", 41.0422, 29.0083),
    Shop("Jakarta Menteng", "Asia/Jakarta", -6.1956, 106.8306),
)


def fill(session: Session, passwords: Mapping[str, str], *, now: datetime) -> None:
    """Make the sample programme if it is not there yet; safe to call at every start."""
    if programmes.by_name(session, SLUG) is not None:
        return
    programme = versions.create_programme(session, _draft(), now=now)
    stores = [
        programmes.create_store(
            session, programme, name=s.name, timezone=s.zone, latitude=s.latitude, longitude=s.longitude, now=now
        )
        for s in STORES
    ]
    _rewards(session, programme, now)
    for email, role, name in STAFF:
        place = stores[0] if role == "cashier" else None
        staff.add_staff(
            session,
            email=email,
            name=name,
            role=role,
            password=passwords[email],
            programme=None if role == "owner" else programme,
            store=place,
            now=now,
        )
    _members(session, programme, stores, now)
    _offers(session, programme, now)


def _draft() -> ProgrammeDraft:
    return ProgrammeDraft(
        slug=SLUG,
        name="Kahve Durağı",
        currency="TRY",
        timezone="Europe/Istanbul",
        language="tr",
        pass_type_identifier=PASS_TYPE,
        team_identifier=TEAM,
        organization_name="Kahve Durağı",
        description="Kahve Durağı loyalty card",
        earn_points=1,
        earn_per="10.00",
        tiers=(
            TierDraft(name="Silver", threshold="0", texts={"tr": "Gümüş", "id": "Perak"}),
            TierDraft(
                name="Gold",
                threshold="3000.00",
                multiplier="1.5",
                background_color="#5a4100",
                texts={"tr": "Altın", "id": "Emas"},
            ),
            TierDraft(
                name="Platinum",
                threshold="9000.00",
                multiplier="2",
                background_color="#30343b",
                texts={"tr": "Platin", "id": "Platinum"},
            ),
        ),
        design={
            "background_color": "#5b2a1d",
            "foreground_color": "#fff8f0",
            "label_color": "#f0cfb4",
            "points_label": {"en": "Points", "tr": "Puan", "id": "Poin"},
            "benefit": {
                "en": "A point for every 10 lira, a coffee for 40 points.",
                "tr": "Her 10 liraya bir puan, 40 puana bir kahve.",
                "id": "Satu poin setiap 10 lira, secangkir kopi untuk 40 poin.",
            },
            "about": {
                "en": "Show this card before you pay.",
                "tr": "Ödemeden önce bu kartı gösterin.",
                "id": "Tunjukkan kartu ini sebelum membayar.",
            },
            "website": "https://kahve.example",
            "contact": "merhaba@kahve.example",
        },
    )


def _rewards(session: Session, programme: Programme, now: datetime) -> None:
    for name, points, texts in (
        ("A filter coffee", 40, {"tr": "Bir filtre kahve", "id": "Secangkir kopi filter"}),
        ("A slice of cake", 75, {"tr": "Bir dilim pasta", "id": "Sepotong kue"}),
        ("A bag of beans", 250, {"tr": "Bir paket çekirdek", "id": "Sebungkus biji kopi"}),
    ):
        catalogue.add(session, programme, RewardDraft(name=name, points=points, texts=texts), now=now)


def _members(session: Session, programme: Programme, stores: list[Store], now: datetime) -> None:
    """Months of purchases, the same at every first start."""
    dice = random.Random(SEED)  # noqa: S311 - sample figures, not secrets
    for name, language, visits in MEMBERS:
        joined = now - timedelta(days=120)
        person = people.checked(name)
        card = cards.enrol(session, programme, person, language=language, source="demo", consent=True, now=joined)
        days = sorted(dice.uniform(1, 119) for _ in range(visits))
        for number, days_ago in enumerate(reversed(days)):
            sale = Sale(
                amount_minor=dice.randrange(6_000, 42_000, 250),
                currency="TRY",
                receipt=f"D{card.id}-{number}",
                store=dice.choice(stores),
            )
            _visit(session, card, sale, spends=dice.random() < 0.5, at=now - timedelta(days=days_ago))


def _visit(session: Session, card: Card, sale: Sale, *, spends: bool, at: datetime) -> None:
    by = Actor(name="demo", channel="api")
    balance = sales.earn(session, card, sale, by=by, now=at).balance
    if balance > 90 and spends:
        cheapest = catalogue.for_points(session, card.programme_id)[0]
        rewarding.redeem_reward(session, card, cheapest, by=by, now=at + timedelta(minutes=1))


def _offers(session: Session, programme: Programme, now: datetime) -> None:
    gold = session.scalars(select(Tier).filter_by(programme_id=programme.id, name="Gold")).one()
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
            None,
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
            gold,
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
