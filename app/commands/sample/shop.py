"""The sample shop: its programme, stores, people, rules of earning and rewards."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.cards import programmes
from app.cards.models import Programme, Store
from app.cards.programmes import ProgrammeDraft, TierDraft
from app.clubs import service as clubs
from app.clubs.models import Club
from app.clubs.service import ClubDraft
from app.earning import service as earning
from app.rewards import catalogue, slots
from app.rewards.catalogue import RewardDraft
from app.rewards.models import Reward
from app.staff import service as staff

PASS_TYPE = "pass.example.tessera.demo"
TEAM = "DEMO123456"
SLUG = "kahve-duragi"
ZONE = "Europe/Istanbul"
STAFF = (
    ("owner@demo.example", "owner", "Deniz Aydın"),
    ("manager@demo.example", "manager", "Selin Koç"),
    ("cashier@demo.example", "cashier", "Ece Kaya"),
    ("support@demo.example", "support", "Rini Wijaya"),
    ("marketer@demo.example", "marketer", "Bima Pratama"),
    ("approver@demo.example", "approver", "Leyla Arslan"),
)
AT_A_STORE = ("manager", "cashier")
CLUB = "tasting-club"


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
RULES: dict[str, Any] = {
    "rules": [
        {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"},
        {
            "kind": "multiplier",
            "name": "Double Tuesday",
            "factor": "2",
            "when": {"windows": [{"weekdays": [2]}]},
            "no_end": True,
        },
        {"kind": "exclusion", "name": "Newspapers", "only": {"categories": ["press"]}},
        {"kind": "cap", "name": "Daily limit", "points": 100, "per": "day"},
        {
            "kind": "bonus_money",
            "name": "5 % of beans back",
            "percent": "5",
            "max_share": "50",
            "expires_days": 90,
            "only": {"categories": ["beans"]},
        },
        {
            "kind": "discount",
            "name": "Tasting club",
            "bands": [{"from": "0", "percent": "10"}],
            "only": {"categories": ["beans"]},
            "when": {"segments": [f"club:{CLUB}"]},
        },
    ],
    "expiry": {"policy": "rolling", "days": 365},
}
COFFEE, CUP = "A filter coffee", "A cup of your own"
GOAL, HELD = "A bag of beans", "A slice of cake"


def open_shop(session: Session, programme: Programme, *, now: datetime) -> list[Store]:
    """Add the stores and publish the rules."""
    stores = [
        programmes.create_store(
            session, programme, name=s.name, timezone=s.zone, latitude=s.latitude, longitude=s.longitude, now=now
        )
        for s in STORES
    ]
    earning.publish(session, programme, RULES, starts_at=None, note="What the shop opened with", by="demo", now=now)
    return stores


def hire(
    session: Session, programme: Programme, store: Store | None, passwords: Mapping[str, str], *, now: datetime
) -> None:
    """Let the sample people sign in; those who can already keep the password that they have."""
    for email, role, name in STAFF:
        if staff.by_email(session, email) is None:
            staff.add_staff(
                session,
                email=email,
                name=name,
                role=role,
                password=passwords[email],
                programme=None if role == "owner" else programme,
                store=store if role in AT_A_STORE else None,
                now=now,
            )


def draft() -> ProgrammeDraft:
    """The programme with its tiers and its look."""
    return ProgrammeDraft(
        slug=SLUG,
        name="Kahve Durağı",
        currency="TRY",
        timezone=ZONE,
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
                "en": "A point for every 10 lira, twice on Tuesdays, a coffee for 40 points.",
                "tr": "Her 10 liraya bir puan, salıları iki kat, 40 puana bir kahve.",
                "id": "Satu poin setiap 10 lira, dua kali pada hari Selasa, secangkir kopi untuk 40 poin.",
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


def fill_catalogue(session: Session, programme: Programme, *, now: datetime) -> dict[str, Reward]:
    """A reward of each kind, by name: products, a discount, a gift that is counted, a donation, and an experience."""
    drafts = (
        RewardDraft(name=COFFEE, points=40, texts={"tr": "Bir filtre kahve", "id": "Secangkir kopi filter"}),
        RewardDraft(name=HELD, points=75, texts={"tr": "Bir dilim pasta", "id": "Sepotong kue"}),
        RewardDraft(name=GOAL, points=250, texts={"tr": "Bir paket çekirdek", "id": "Sebungkus biji kopi"}),
        RewardDraft(
            name="Points off the bill",
            kind="discount",
            points=1,
            value_minor=25,
            flexible=True,
            max_share=30,
            texts={"tr": "Hesaptan puanla indirim", "id": "Potongan tagihan dengan poin"},
        ),
        RewardDraft(
            name=CUP,
            kind="gift",
            points=150,
            stock=12,
            pick_up=True,
            limit_per_member=1,
            texts={"tr": "Size ait bir fincan", "id": "Cangkir milik Anda"},
        ),
        RewardDraft(
            name="A tree on the Aegean",
            kind="donation",
            points=60,
            value_minor=1500,
            texts={"tr": "Ege'ye bir fidan", "id": "Sebatang pohon di Aegea"},
        ),
    )
    found = {one.name: catalogue.add(session, programme, one, now=now) for one in drafts}
    return found | _experience(session, programme, now)


def _experience(session: Session, programme: Programme, now: datetime) -> dict[str, Reward]:
    wanted = RewardDraft(
        name="An hour of latte art",
        kind="experience",
        points=120,
        no_show="give_back",
        cancel_before_h=24,
        texts={"tr": "Bir saat latte sanatı", "id": "Satu jam seni latte"},
    )
    reward = catalogue.add(session, programme, wanted, now=now)
    today = now.astimezone(ZoneInfo(ZONE)).date()
    for days in (6, 13):
        begins = datetime.combine(today + timedelta(days=days), time(14), ZoneInfo(ZONE))
        ends = begins + timedelta(hours=1)
        slots.add(session, reward, starts_at=begins, ends_at=ends, capacity=8, now=now)
    return {wanted.name: reward}


def found_club(session: Session, programme: Programme, *, now: datetime) -> Club:
    """A club whose members pay less for beans."""
    return clubs.create(
        session,
        ClubDraft(
            programme=programme,
            slug=CLUB,
            name="Tasting club",
            benefits="10 % off beans, and an invitation to every tasting.",
            texts={
                "tr": {"name": "Tadım kulübü", "benefits": "Çekirdekte %10 indirim ve her tadıma davet."},
                "id": {"name": "Klub cicip", "benefits": "Diskon 10% untuk biji kopi dan undangan tiap cicip."},
            },
        ),
        by="demo",
        now=now,
    )
