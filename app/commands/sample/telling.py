"""What the sample shop tells its members: whom it knows how to pick, what it says by itself, and what is planned."""

from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from app import localtime
from app.campaigns import service as campaigns
from app.campaigns import timing
from app.campaigns.drafting import Draft
from app.cards.models import Programme
from app.offers import service as offers
from app.offers.models import Offer
from app.offers.service import OfferDraft
from app.segments import service as segments
from app.segments.models import Segment
from app.segments.service import SegmentDraft

WRITER = "demo"
GOAL = {"metric": "purchase", "days": 14}
FRIDAY = 4
AFTERNOON = time(15)
BIRTHDAY_CAKE = {"gift": "A slice of cake", "cost": "35.00"}


def begin(session: Session, programme: Programme, *, now: datetime) -> None:
    """Segments, messages that follow what members do, and what is planned for the next Friday."""
    regulars = _segments(session, programme, now)
    _follow(session, programme, now)
    _friday(session, programme, regulars, now)


def _segments(session: Session, programme: Programme, now: datetime) -> Segment:
    """The first of them is told something on Friday."""
    regulars, *_others = [
        segments.create(session, SegmentDraft(programme=programme, name=name, rules=rules), by=WRITER, now=now)
        for name, rules in (
            ("Regulars", {"fact": "visits", "op": "at_least", "value": 3, "days": 60}),
            (
                "Silver and above, not seen for 30 days",
                {
                    "all": [
                        {"fact": "spend", "op": "at_least", "value": "1000.00", "days": 365},
                        {"fact": "last_visit", "op": "at_least", "value": 30},
                    ]
                },
            ),
        )
    ]
    return regulars


def _follow(session: Session, programme: Programme, now: datetime) -> None:
    """A welcome for everybody who puts the card on a phone, and a slice of cake for birthdays."""
    welcome = Draft(
        programme=programme,
        name="Welcome",
        trigger={"on": "welcome"},
        message={
            "title": "Welcome, {first_name|friend}!",
            "body": "Show this card at every visit; your points are here a second later.",
            "texts": {
                "tr": {
                    "title": "Hoş geldin, {first_name|dostum}!",
                    "body": "Kartını her gelişinde göster; puanların bir saniye sonra burada.",
                },
                "id": {
                    "title": "Selamat datang, {first_name|kawan}!",
                    "body": "Tunjukkan kartu ini tiap datang; poin Anda tampil sedetik kemudian.",
                },
            },
        },
        purpose="information",
        quiet=("", ""),
        goal=GOAL,
        holdout_bp=0,
    )
    birthday = Draft(
        programme=programme,
        name="Birthday cake",
        trigger={"on": "birthday"},
        offer=_cake(session, programme, now),
        goal=GOAL,
        priority=70,
    )
    for draft in (welcome, birthday):
        campaigns.launch(session, campaigns.create(session, draft, by=WRITER, now=now), by=WRITER, now=now)


def _cake(session: Session, programme: Programme, now: datetime) -> Offer:
    """What a birthday brings: each member has fourteen days for it."""
    draft = OfferDraft(
        programme=programme,
        title="A slice of cake for your birthday",
        body="Any slice of cake is on us.",
        texts={
            "tr": {"title": "Doğum gününe bir dilim pasta", "body": "Seçtiğin bir dilim pasta bizden."},
            "id": {"title": "Sepotong kue untuk ulang tahun Anda", "body": "Sepotong kue pilihan Anda dari kami."},
        },
        starts_at=now,
        ends_at=now + timedelta(days=365),
        timezone=programme.timezone,
        audience="targeted",
        announce=False,
        kind="gift",
        terms=BIRTHDAY_CAKE,
        limit_per_card=1,
    )
    return offers.create(session, draft, by=WRITER, now=now)


def _friday(session: Session, programme: Programme, regulars: Segment, now: datetime) -> None:
    today = localtime.wall_clock(now, programme.timezone)
    friday = datetime.combine(today.date() + timedelta(days=(FRIDAY - today.weekday()) % 7 or 7), AFTERNOON)
    draft = Draft(
        programme=programme,
        name="Friday afternoon",
        segment=regulars,
        message={
            "title": "Your points before the weekend",
            "body": "You have {points} points, {first_name|friend}. See on your card what they buy.",
            "texts": {
                "tr": {
                    "title": "Hafta sonundan önce puanların",
                    "body": "{points} puanın var, {first_name|dostum}. Neler alabileceğin kartında.",
                },
                "id": {
                    "title": "Poin Anda sebelum akhir pekan",
                    "body": "Anda punya {points} poin, {first_name|kawan}. Lihat di kartu apa yang bisa didapat.",
                },
            },
        },
        send_local=timing.as_text(friday),
        timezone_mode="store",
        goal=GOAL,
    )
    campaigns.create(session, draft, by=WRITER, now=now)
