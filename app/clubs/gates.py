"""Addresses that only members of a club, or cards of a tier, may open: by a token that lasts a quarter of an hour.

A token says which card may open which address by which gate, until when, and is signed with a key of its own. Its
holder is judged again when it is used: whoever has left the club meanwhile is refused, however fresh the token.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from app import i18n, ids
from app.cards import texts
from app.cards.models import Card, Programme, Tier
from app.clubs import service
from app.clubs.models import Club, GatedLink
from app.errors import Conflict, Forbidden, NotFound, Sentence, Unprocessable
from app.vault import Vault

LIFE = timedelta(minutes=15)
PURPOSE = "gated-link"
LONGEST_TITLE, LONGEST_ADDRESS = 60, 500
DIGEST_BYTES = 20


@dataclass(frozen=True, kw_only=True)
class GatedLinkDraft:
    """For members of `club`, or for cards of `tier`: exactly one. `texts`: {language: {"title": …}}."""

    programme: Programme
    slug: str
    title: str
    target_url: str
    club: Club | None = None
    tier: Tier | None = None
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def create(session: Session, draft: GatedLinkDraft, *, now: datetime) -> GatedLink:
    """Make a gated link.

    Raises: Unprocessable `invalid_gated_link`; Conflict `gated_link_exists`.
    """
    errors = _problems(draft)
    if errors:
        raise Unprocessable("invalid_gated_link", " ".join(errors.values()), errors=errors)
    made = GatedLink(
        public_id=ids.public_id("gat"), programme_id=draft.programme.id, slug=draft.slug, title=draft.title.strip(),
        texts={language: dict(by_name) for language, by_name in draft.texts.items()}, target_url=draft.target_url,
        club_id=draft.club.id if draft.club else None, tier_id=draft.tier.id if draft.tier else None, created_at=now,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError as problem:
        text = Sentence("There is a link named %(slug)s already.", slug=draft.slug)
        raise Conflict("gated_link_exists", text, errors={"slug": text}) from problem
    return made


def close(session: Session, programme_id: int, public_id: str) -> GatedLink:
    """Open an address to nobody any more, also not with tokens that were given out.

    Raises: NotFound `unknown_gated_link`.
    """
    query = select(GatedLink).where(GatedLink.public_id == public_id, GatedLink.programme_id == programme_id)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("unknown_gated_link", "There is no such link.")
    found.active = False
    return found


def of_programme(session: Session, programme_id: int) -> list[GatedLink]:
    """A programme's gated links in use."""
    query = select(GatedLink).where(GatedLink.programme_id == programme_id, GatedLink.active)
    return list(session.scalars(query.options(joinedload(GatedLink.club)).order_by(GatedLink.id)))


def open_to(session: Session, card: Card, *, now: datetime) -> list[GatedLink]:
    """The links that the holder of a card may open at *now*."""
    found = of_programme(session, card.programme_id)
    if not found or card.status != "active":
        return []
    clubs = service.segments(session, card.member_id, now=now)
    return [one for one in found if _is_open(one, card, clubs)]


def pass_for(session: Session, card: Card, slug: str, *, now: datetime) -> str:
    """A token that opens the link for a quarter of an hour.

    Raises: NotFound `unknown_gated_link`; Forbidden `not_eligible`.
    """
    query = select(GatedLink).where(
        GatedLink.programme_id == card.programme_id, GatedLink.slug == slug, GatedLink.active
    )
    link = session.scalars(query.options(joinedload(GatedLink.club))).one_or_none()
    if link is None:
        raise NotFound("unknown_gated_link", "There is no such link.")
    _check(session, link, card, now)
    vault: Vault = session.info["vault"]
    until_s = int((now + LIFE).timestamp())
    return _signed(vault, f"{link.id}.{card.id}.{until_s}.{_gate(link)}")


def target(session: Session, token: str, *, now: datetime) -> str:
    """Where a token leads.

    Raises: Forbidden `link_expired`, `link_invalid` (not signed here, or the link is for another club or tier now) or
    `not_eligible`.
    """
    vault: Vault = session.info["vault"]
    link_id, card_id, until_s, gate = _opened(vault, token)
    if now.timestamp() >= until_s:
        raise Forbidden("link_expired", "This link has expired; open it from your card again.")
    link = session.get(GatedLink, link_id, options=[joinedload(GatedLink.club)])
    card = session.get(Card, card_id)
    if link is None or card is None or not link.active or _gate(link) != gate:
        raise _invalid()
    _check(session, link, card, now)
    return link.target_url


def title(link: GatedLink, language: str) -> str:
    """What the link is called in a language."""
    return link.texts.get(language, {}).get("title") or link.title


def _check(session: Session, link: GatedLink, card: Card, now: datetime) -> None:
    clubs = service.segments(session, card.member_id, now=now)
    if card.status != "active" or not _is_open(link, card, clubs):
        raise Forbidden("not_eligible", "This link is for members of another club or level.")


def _is_open(link: GatedLink, card: Card, clubs: frozenset[str]) -> bool:
    if link.club is not None:
        return f"club:{link.club.slug}" in clubs
    return link.tier_id == card.tier_id


def _gate(link: GatedLink) -> str:
    return f"club-{link.club_id}" if link.club_id is not None else f"tier-{link.tier_id}"


def _signed(vault: Vault, text: str) -> str:
    digest = hmac.new(vault.key_for(PURPOSE), text.encode(), hashlib.sha256).digest()[:DIGEST_BYTES]
    return base64.urlsafe_b64encode(digest + text.encode()).decode().rstrip("=")


def _opened(vault: Vault, token: str) -> tuple[int, int, int, str]:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        text = raw[DIGEST_BYTES:].decode("ascii")
        if not hmac.compare_digest(_signed(vault, text), token):
            raise _invalid()
        link_id, card_id, until_s, gate = text.split(".")
        return int(link_id), int(card_id), int(until_s), gate
    except (ValueError, binascii.Error, UnicodeError):
        raise _invalid() from None


def _invalid() -> Forbidden:
    return Forbidden("link_invalid", "This link does not open anything; open it from your card again.")


def _problems(draft: GatedLinkDraft) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not service.SLUG.fullmatch(draft.slug):
        errors["slug"] = "A slug has 1 to 40 small letters, digits and dashes, for example wine-club."
    if not 1 <= len(draft.title.strip()) <= LONGEST_TITLE or not texts.is_showable(draft.title):
        errors["title"] = Sentence("A link has a title of 1 to %(most)s characters.", most=LONGEST_TITLE)
    if (draft.club is None) == (draft.tier is None):
        errors["club"] = "Say for which club or for which tier the link is: one of the two."
    owners = {one.programme_id for one in (draft.club, draft.tier) if one is not None}
    if owners - {draft.programme.id}:
        errors["club"] = "This club or tier belongs to another programme."
    if not _is_address(draft.target_url):
        errors["target_url"] = "Write a whole address that begins with https://."
    if set(draft.texts) - set(i18n.LANGUAGES):
        errors["texts"] = Sentence("Texts are given in %(all)s.", all=", ".join(i18n.LANGUAGES))
    return errors


def _is_address(address: str) -> bool:
    if not address.startswith("https://") or len(address) > LONGEST_ADDRESS or not address.isprintable():
        return False
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and " " not in address and "\\" not in address and parts.username is None
    except ValueError:
        return False
