"""People, programmes and cards with honest defaults."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.cards import people, programmes
from app.cards import service as cards
from app.cards.models import Card, Programme, Store
from app.cards.programmes import ProgrammeDraft, TierDraft
from app.earning import versions
from app.staff import service as staff_service
from app.staff.models import Staff

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
TIERS = (
    TierDraft(name="Silver", threshold="2000.00"),
    TierDraft(name="Gold", threshold="6000.00", multiplier="1.5", background_color="#5c4300"),
)


def programme(session: Session, *, now: datetime = NOW, **over: Any) -> Programme:
    """Kahve Durağı: one point for every 10 TRY, silver from 2,000 and gold from 6,000."""
    values: dict[str, Any] = {
        "slug": "kahve",
        "name": "Kahve Durağı",
        "currency": "TRY",
        "timezone": "Europe/Istanbul",
        "language": "tr",
        "pass_type_identifier": "pass.com.example.kahve",
        "team_identifier": "A1B2C3D4E5",
        "organization_name": "Kahve Durağı AŞ",
        "earn_points": 1,
        "earn_per": "10.00",
        "tiers": TIERS,
        **over,
    }
    return versions.create_programme(session, ProgrammeDraft(**values), now=now)


def store(session: Session, programme: Programme, name: str = "Kadıköy", *, now: datetime = NOW, **over: Any) -> Store:
    return programmes.create_store(session, programme, name=name, now=now, **over)


def card(
    session: Session, programme: Programme, name: str = "Ayşe Yılmaz", *, now: datetime = NOW, **over: Any
) -> Card:
    """A member with a card; pass email=, phone=, birthday=, language=, consent= to differ."""
    contact = {key: over.pop(key) for key in ("email", "phone", "birthday") if key in over}
    person = people.checked(name, **contact)
    values: dict[str, Any] = {"language": "en", "source": "test", "consent": False, **over}
    return cards.enrol(session, programme, person, now=now, **values)


def staff(
    session: Session, role: str = "cashier", *, email: str | None = None, now: datetime = NOW, **over: Any
) -> Staff:
    """Somebody who works here, with the password PASSWORD."""
    address = email or f"{role}@example.com"
    return staff_service.add_staff(
        session, email=address, name=role.title(), role=role, password=PASSWORD, now=now, **over
    )
