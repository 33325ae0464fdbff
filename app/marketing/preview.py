"""How something will look: the cards of real members, drawn from their real pass and Google objects."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app import i18n
from app.cards.models import Card, Member
from app.errors import AppError
from app.wallets.apple import add as apple
from app.wallets.google import face as google
from app.wallets.google import service as google_service
from app.wallets.messages import LINE_CHARACTERS
from app.wallets.promises import OfferView
from app.wallets.view import CardView, card_views
from app.world import World
from passes.errors import PassError
from passes.google import encode
from passes.google.model import Message

MEMBERS = 3
LOOKED_AT = 60  # from each end of an audience: enough to find members who differ


@dataclass(frozen=True, kw_only=True)
class Dressed:
    """A member's card as it will be, and what Google says and shows besides."""

    view: CardView
    body: str = ""
    on_object: Sequence[Message] = ()
    on_class: Sequence[Message] = ()
    promoted: Sequence[OfferView] = ()
    unfilled: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Face:
    """One member's cards in one language.

    `line` is what the lock screen says, read from the pass; empty if it makes no sound. `is_cut`: it is longer than
    what the lock screen shows. `problem` says what a wallet refuses, `unfilled` which fields are empty.
    """

    language: str
    language_name: str
    line: str
    is_cut: bool
    body: str
    apple_json: Mapping[str, Any]
    google_class: Mapping[str, Any]
    google_object: Mapping[str, Any]
    problem: str = ""
    unfilled: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A real member and their cards in each language, their own first."""

    number: int
    name: str
    level: str
    language_name: str
    timezone: str
    images: Mapping[str, str]
    faces: Sequence[Face]


@dataclass(frozen=True, kw_only=True)
class Material:
    """What drawing needs, read in one transaction."""

    views: Sequence[CardView]
    pictures: Mapping[str, str]


def material(session: Session, wanted: Sequence[ColumnElement[bool]], base_url: str, *, now: datetime) -> Material:
    """The cards of three members of an audience who differ in language and level, as far as there are such.

    *wanted*: conditions on `Card`.
    """
    views = people(session, wanted, now=now)
    programme_id = views[0].programme.id if views else None
    pictures = google_service.picture_addresses(session, programme_id, base_url) if programme_id is not None else {}
    return Material(views=views, pictures=pictures)


def people(session: Session, wanted: Sequence[ColumnElement[bool]], *, now: datetime) -> list[CardView]:
    """As `material`, the cards alone."""
    ids = _different(_candidates(session, wanted))
    views = card_views(session, ids, now)
    return [views[one] for one in ids]


def draw(world: World, found: Material, dress: Callable[[CardView, str], Dressed], *, language: str) -> list[Drawn]:
    """Each member in every language, their own first, then the programme's *language*.

    *dress*: a member's card as it will be, from the card as it is and a language.
    """
    return [_member(world, view, number, found, dress, language) for number, view in enumerate(found.views, start=1)]


def _candidates(session: Session, wanted: Sequence[ColumnElement[bool]]) -> list[tuple[int, str, int | None]]:
    query = select(Card.id, Member.language, Card.tier_id).join(Member, Member.id == Card.member_id).where(*wanted)
    rows = [*session.execute(query.order_by(Card.id.desc()).limit(LOOKED_AT))]
    rows += session.execute(query.order_by(Card.id).limit(LOOKED_AT))
    return [(row.id, row.language, row.tier_id) for row in rows]


def _different(candidates: Sequence[tuple[int, str, int | None]]) -> list[int]:
    """The first of each language and level, those of a new language before those of a new level."""
    chosen: list[tuple[int, str, int | None]] = []
    rest = list(dict.fromkeys(candidates))
    while rest and len(chosen) < MEMBERS:
        languages, tiers = {one[1] for one in chosen}, {one[2] for one in chosen}
        best = max(rest, key=lambda one: (one[1] not in languages, one[2] not in tiers))
        chosen.append(best)
        rest.remove(best)
    return [one[0] for one in chosen]


def _member(
    world: World,
    view: CardView,
    number: int,
    found: Material,
    dress: Callable[[CardView, str], Dressed],
    language: str,
) -> Drawn:
    own = i18n.nearest(view.language)
    languages: Iterable[str] = dict.fromkeys([own, i18n.nearest(language), *i18n.LANGUAGES])
    return Drawn(
        number=number,
        name=view.short_name,
        level=view.tier.name_in(own) if view.tier else "",
        language_name=i18n.NAMES[own],
        timezone=view.programme.timezone,
        images=_images(view, found.pictures),
        faces=[_face(world, dress(replace(view, language=one).with_notes(), one), one, found) for one in languages],
    )


def _face(world: World, dressed: Dressed, language: str, found: Material) -> Face:
    faces: dict[str, Any] = {"apple_json": {}, "google_class": {}, "google_object": {}}
    problem = ""
    try:
        faces = {"apple_json": apple.pass_json(world, dressed.view), **_google(world, dressed, found)}
    except (PassError, AppError) as refused:
        problem = i18n.translate(refused.public) if isinstance(refused, AppError) else str(refused)
    line = _line(faces["apple_json"])
    return Face(
        language=language,
        language_name=i18n.NAMES[language],
        line=line,
        is_cut=len(line) > LINE_CHARACTERS or line.partition(" · ")[0].endswith("…"),
        body=dressed.body,
        problem=problem,
        unfilled=tuple(sorted(dressed.unfilled)),
        **faces,
    )


def _google(world: World, dressed: Dressed, found: Material) -> dict[str, Any]:
    view = dressed.view
    at = google.place(world.settings)
    at = replace(at, issuer=at.issuer or "0")
    identifier = google.object_id(at.issuer, world.vault, view.serial)
    shared = google.loyalty_class(view.programme, view.tier, found.pictures, at=at, offers=dressed.promoted)
    own = google.loyalty_object(view, id=identifier, at=at)
    return {
        "google_class": encode.body(replace(shared, messages=tuple(dressed.on_class))),
        "google_object": encode.body(replace(own, messages=tuple(dressed.on_object))),
    }


def _line(apple_json: Mapping[str, Any]) -> str:
    """What the phone says for the field whose change it announces."""
    back = apple_json.get("storeCard", {}).get("backFields", [])
    latest = next((one for one in back if one["key"] == "latest" and "changeMessage" in one), None)
    return str(latest["value"]) if latest else ""


def _images(view: CardView, pictures: Mapping[str, str]) -> dict[str, str]:
    """As addresses on this site, whatever host it is looked at from."""
    own = {slot: "/assets/" + address.rsplit("/assets/", 1)[-1] for slot, address in pictures.items()}
    return {"logo": f"/assets/default/{view.programme.slug}-logo.png", **own}
