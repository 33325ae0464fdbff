"""Making and changing programmes, tiers, stores and pictures."""

import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import i18n, ids, money
from app.cards import expansion, pictures, texts
from app.cards.design import HEX, Design
from app.cards.models import Asset, Programme, Store, Tier
from app.clock import milliseconds
from app.errors import AppError, Conflict, Sentence, Unprocessable
from app.outbox import service as outbox
from app.outbox.service import Lane

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
PASS_TYPE = re.compile(r"(?=.{6,100}\Z)pass(\.[A-Za-z0-9-]+)+")
TEAM = re.compile(r"[A-Z0-9]{10}")
MULTIPLIER = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?")
LONGEST_REGION = 60
WRONG_REGION = Sentence("A region has at most 60 characters that can be shown, such as Marmara.")


@dataclass(frozen=True, kw_only=True)
class TierDraft:
    """`threshold` is qualifying spend as a decimal string; `multiplier` of points, such as "1.5"."""

    name: str
    threshold: str
    multiplier: str = "1"
    background_color: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ProgrammeDraft:
    """A programme as it is asked for. Earning: `earn_points` for every `earn_per` (a decimal string) spent."""

    slug: str
    name: str
    currency: str
    timezone: str
    language: str
    pass_type_identifier: str
    team_identifier: str
    organization_name: str
    description: str = ""
    earn_points: int = 1
    earn_per: str | None = None
    tiers: Sequence[TierDraft] = ()
    design: Mapping[str, Any] = field(default_factory=dict)


def create_programme(session: Session, draft: ProgrammeDraft, *, now: datetime) -> Programme:
    """Make a programme with its tiers.

    Raises: Unprocessable `invalid_programme` with a sentence for each faulty field; Conflict `slug_taken`.
    """
    errors = _problems(draft)
    tiers, design = _tiers(draft, errors), _design(draft, errors)
    per_minor = _earn_per(draft, errors)
    if errors:
        raise Unprocessable("invalid_programme", " ".join(errors.values()), errors=errors)
    programme = Programme(
        public_id=ids.public_id("prg"),
        slug=draft.slug,
        name=draft.name.strip(),
        currency=draft.currency,
        timezone=draft.timezone,
        language=i18n.nearest(draft.language),
        pass_type_identifier=draft.pass_type_identifier,
        team_identifier=draft.team_identifier,
        organization_name=draft.organization_name.strip(),
        description=draft.description.strip() or f"{draft.name.strip()} loyalty card",
        earn_points=draft.earn_points,
        earn_per_minor=per_minor,
        design=design.as_json(),
        tiers=tiers,
        created_at=now,
    )
    _insert(session, programme, Conflict("slug_taken", f"There is a programme named {draft.slug} already."))
    return programme


def set_region(session: Session, store: Store, region: str) -> bool:
    """Say in which region a store lies, or in none; False if that was so already.

    Raises: Unprocessable `invalid_store`.
    """
    if not _is_region(region):
        raise Unprocessable("invalid_store", WRONG_REGION, errors={"region": WRONG_REGION})
    clean = " ".join(region.split())
    if store.region == clean:
        return False
    store.region = clean
    session.flush()
    return True


def _is_region(text: str) -> bool:
    return not text.strip() or _is_name(text, LONGEST_REGION)


def create_store(
    session: Session,
    programme: Programme,
    *,
    name: str,
    now: datetime,
    timezone: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
    region: str = "",
) -> Store:
    """Add a shop; its zone is the programme's unless given.

    Raises: Unprocessable `invalid_store`; Conflict `store_exists`.
    """
    errors: dict[str, str] = {}
    if not _is_name(name, 100):
        errors["name"] = "A store has a name of 1 to 100 characters."
    if timezone and not is_zone(timezone):
        errors["timezone"] = _zone_advice(timezone)
    if (latitude is None) != (longitude is None):
        errors["latitude"] = "Give both latitude and longitude, or neither."
    if latitude is not None and not -90 <= latitude <= 90:
        errors["latitude"] = "Latitude lies between -90 and 90."
    if longitude is not None and not -180 <= longitude <= 180:
        errors["longitude"] = "Longitude lies between -180 and 180."
    if not _is_region(region):
        errors["region"] = WRONG_REGION
    if errors:
        raise Unprocessable("invalid_store", " ".join(errors.values()), errors=errors)
    store = Store(
        public_id=ids.public_id("sto"),
        programme_id=programme.id,
        name=name.strip(),
        timezone=timezone or programme.timezone,
        latitude=latitude,
        longitude=longitude,
        region=" ".join(region.split()),
        created_at=now,
    )
    _insert(session, store, Conflict("store_exists", f"There is a store named {name.strip()} already."))
    if latitude is not None:
        redesigned(session, programme, now=now)  # cards say where the shops are
    return store


def change_design(session: Session, programme: Programme, design: Design, *, now: datetime) -> None:
    """Give all cards of the programme a new look; phones are brought up to it at bulk pace."""
    programme.design = design.as_json()
    redesigned(session, programme, now=now)


def redesigned(session: Session, programme: Programme, *, now: datetime) -> None:
    """Tell every phone of the programme that something they all show has changed."""
    # raised by the database itself: another editor may have raised what was read here
    programme.design_version = Programme.design_version + 1
    session.flush()
    session.refresh(programme, ["design_version"])
    expansion.start(session, programme_id=programme.id, reason="design", now=now)
    outbox.raise_classes(session, programme_id=programme.id, lane=Lane.NORMAL, now_ms=milliseconds(now))


def put_picture(session: Session, programme: Programme, slot: str, content: bytes, *, now: datetime) -> Asset:
    """Check, re-encode and store a picture for a slot (icon, logo, strip, hero), and bring it to all cards.

    Raises: Unprocessable `invalid_picture` saying what the slot wants.
    """
    picture = pictures.checked(slot, content)
    asset = Asset(
        programme_id=programme.id,
        slot=slot,
        sha256=picture.sha256,
        media_type="image/png",
        width=picture.width,
        height=picture.height,
        content=picture.content,
        created_at=now,
    )
    session.add(asset)
    redesigned(session, programme, now=now)
    return asset


def by_name(session: Session, name: str) -> Programme | None:
    """A programme by its id or its slug."""
    return session.scalars(
        select(Programme).where((Programme.slug == name) | (Programme.public_id == name))
    ).one_or_none()


def is_zone(name: str) -> bool:
    """Whether *name* is an IANA time zone."""
    return name in zoneinfo.available_timezones()


def design_of(programme: Programme) -> Design:
    """A programme's design as a value."""
    return Design(**programme.design) if programme.design else Design()


def _problems(draft: ProgrammeDraft) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not SLUG.fullmatch(draft.slug):
        errors["slug"] = "A slug has 1 to 60 small letters, digits and dashes, for example kahve-duragi."
    for name in ("name", "organization_name"):
        if not _is_name(getattr(draft, name), 100):
            errors[name] = "This has 1 to 100 characters."
    if not money.is_known_currency(draft.currency):
        errors["currency"] = "Write an ISO 4217 code, for example TRY, IDR or EUR."
    if not is_zone(draft.timezone):
        errors["timezone"] = _zone_advice(draft.timezone)
    if i18n.nearest(draft.language) != draft.language.split("-")[0].lower():
        errors["language"] = f"The language is one of {', '.join(i18n.LANGUAGES)}."
    if not PASS_TYPE.fullmatch(draft.pass_type_identifier):
        errors["pass_type_identifier"] = "Write the identifier registered with Apple, such as pass.com.example.card."
    if not TEAM.fullmatch(draft.team_identifier):
        errors["team_identifier"] = "It is the ten characters of your Apple team, for example A1B2C3D4E5."
    if not 0 <= draft.earn_points <= 100_000:
        errors["earn.points"] = "Points are a whole number from 0 to 100000."
    return errors


def _is_name(text: str, longest: int) -> bool:
    return 1 <= len(text.strip()) <= longest and texts.is_showable(text)


def _zone_advice(zone: str) -> str:
    return f"{zone[:40]} is no IANA time zone; write one such as Europe/Istanbul or Asia/Jakarta."


def _earn_per(draft: ProgrammeDraft, errors: dict[str, str]) -> int:
    if "currency" in errors:
        return 1
    one_unit = money.decimal_text(10 ** money.exponent(draft.currency), draft.currency)
    try:
        minor = money.minor_units(draft.earn_per or one_unit, draft.currency, field="earn.per")
    except AppError as problem:
        errors["earn.per"] = problem.public
        return 1
    if minor == 0:
        errors["earn.per"] = Sentence(
            'Points are earned for amounts above zero, for example per "%(example)s".',
            example=money.example(draft.currency),
        )
    return minor


def _tiers(draft: ProgrammeDraft, errors: dict[str, str]) -> list[Tier]:
    made: list[Tier] = []
    for position, tier in enumerate(draft.tiers):
        where = f"tiers.{position}"
        try:
            threshold = money.minor_units(tier.threshold, draft.currency) if "currency" not in errors else position
        except AppError as problem:
            errors[f"{where}.threshold"] = problem.public
            continue
        if made and threshold <= made[-1].threshold_minor:
            errors[f"{where}.threshold"] = "Thresholds rise from tier to tier."
        if not MULTIPLIER.fullmatch(tier.multiplier) or Fraction(tier.multiplier) == 0:
            errors[f"{where}.multiplier"] = 'A multiplier is a decimal string such as "1.5".'
            continue
        if not _is_name(tier.name, 40) or tier.name.strip() in {t.name for t in made}:
            errors[f"{where}.name"] = "A tier has a name of its own, of 1 to 40 characters."
        if tier.background_color and not HEX.fullmatch(tier.background_color.lower()):
            errors[f"{where}.background_color"] = "Write the colour as #rrggbb."
        factor = Fraction(tier.multiplier)
        made.append(
            Tier(
                position=position,
                name=tier.name.strip(),
                texts=dict(tier.texts),
                threshold_minor=threshold,
                multiplier_num=factor.numerator,
                multiplier_den=factor.denominator,
                background_color=tier.background_color.lower() if tier.background_color else None,
            )
        )
    return made


def _design(draft: ProgrammeDraft, errors: dict[str, str]) -> Design:
    try:
        return Design.parse(draft.design)
    except AppError as problem:
        errors.update({f"design.{name}": text for name, text in problem.errors.items()})
        return Design()


def _insert(session: Session, row: Programme | Store, refusal: Conflict) -> None:
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as problem:
        raise refusal from problem
