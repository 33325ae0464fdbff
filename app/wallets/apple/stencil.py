"""A pass.json with holes: cards of one kind differ in a few values only, so the rest is written once for all of them.

Drawing and encoding a card afresh took 250 µs among other work, as much as its signature; filling a stencil takes 20.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from json.encoder import encode_basestring

from app import money
from app.cards import codes
from app.wallets.apple import face
from app.wallets.notes import Note
from app.wallets.view import CardRow, CardView, MessageView, OfferView
from passes.apple.encode import encode

Fill = Callable[["Own"], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Own:
    """What a hole is filled from."""

    row: CardRow
    short_name: str
    token: str
    notes: tuple[Note, ...]
    message: MessageView | None


@dataclass(frozen=True, kw_only=True)
class Stencil:
    """Written text and holes in turns."""

    pieces: tuple[str | Fill, ...]

    def fill(self, own: Own) -> bytes:
        """The bytes of a card's pass.json, the same that `encode` would write for it."""
        return "".join([piece if isinstance(piece, str) else piece(own) for piece in self.pieces]).encode()


def own(row: CardRow, view: CardView, token: str) -> Own:
    """What a card fills the holes of its kind's stencil with."""
    return Own(row=row, short_name=view.short_name, token=token, notes=view.notes, message=view.message)


def kind(row: CardRow, view: CardView) -> tuple[object, ...]:
    """What cards must have in common, besides their programme's facts, to be written with one stencil."""
    labels = tuple((note.key, note.label) for note in view.notes)
    return (
        row.tier_id,
        row.status,
        row.language,
        tuple(face_of(offer, view.as_of) for offer in view.offers),
        row.sealed is None,
        labels,
        row.kind,
        _message_kind(view),
        view.latest_is_news,
    )


def face_of(offer: OfferView, now: datetime) -> tuple[object, ...]:
    """What of an offer differs from card to card, and from hour to hour."""
    return offer.id, offer.ends_at, offer.is_used_up, offer.is_last_day(now)


def _message_kind(view: CardView) -> bool | None:
    """What cards with a message must have in common: whether it is their news."""
    return None if view.message is None else view.told is not None


def cut(view: CardView, *, base_url: str) -> Stencil:
    """The stencil of all cards that differ from this one in their own values alone.

    They share programme and `kind`. Each value of its own
    is replaced by one that nobody can have written into a text before, and found again in the result.

    Raises: passes.errors.InvalidPass, with everything that Wallet would refuse.
    """
    marked, token = _marked(view), secrets.token_hex(32)
    holes = _holes(marked, token)
    text = encode(face.store_card(marked, base_url=base_url, token=token)).decode()
    parts = re.split(f"({'|'.join(map(re.escape, holes))})", text)
    return Stencil(pieces=tuple(holes.get(part, part) for part in parts))


def _marked(view: CardView) -> CardView:
    number = "".join(secrets.choice(codes.ALPHABET) for _ in range(codes.SYMBOLS + 1))
    return replace(
        view,
        serial=secrets.token_urlsafe(24),
        link=secrets.token_urlsafe(24),
        number=number,
        balance=_random_number(),
        money_minor=_random_number(),
        notes=tuple(replace(note, text=secrets.token_hex(16)) for note in view.notes),
        short_name=secrets.token_hex(face.NAME_CHARACTERS // 2) if view.short_name else "",
        message=_marked_message(view.message),
        modified_at=datetime(1000, 1, 1, tzinfo=UTC) + timedelta(seconds=secrets.randbelow(10**9)),
    )


def _marked_message(message: MessageView | None) -> MessageView | None:
    if message is None:
        return None
    return replace(message, line=secrets.token_hex(16), title=secrets.token_hex(16), body="")


def _random_number() -> int:
    return 10**14 + secrets.randbelow(9 * 10**14)


def _holes(view: CardView, token: str) -> Mapping[str, Fill]:
    """What the marked values look like in the text -> what a card has there."""
    name_characters, currency = face.name_characters(view), view.programme.currency
    return {
        view.serial: lambda own: own.row.serial,
        token: lambda own: own.token,
        str(view.balance): lambda own: str(own.row.balance or 0),
        money.decimal_text(view.money_minor, currency): lambda own: money.decimal_text(own.row.money or 0, currency),
        codes.barcode_message(view.number): lambda own: codes.barcode_message(own.row.number),
        codes.grouped(view.number): lambda own: codes.grouped(own.row.number),
        view.link: lambda own: own.row.link,
        _date(view.modified_at): lambda own: _date(own.row.modified_at),
        **{f'"{note.text}"': partial(_note, place) for place, note in enumerate(view.notes)},
        **({f'"{view.short_name}"': partial(_name, name_characters)} if view.short_name else {}),
        **({} if view.message is None else _message_holes(view.message)),
    }


def _message_holes(message: MessageView) -> Mapping[str, Fill]:
    return {
        f'"{message.line}"': lambda own: encode_basestring(own.message.line if own.message else ""),
        f'"{message.title}"': lambda own: encode_basestring(face.message_text(own.message) if own.message else ""),
    }


def _note(place: int, own: Own) -> str:
    return encode_basestring(own.notes[place].text)


def _name(characters: int, own: Own) -> str:
    return encode_basestring(face.shortened(own.short_name, characters))


def _date(moment: datetime) -> str:
    return f"{moment.isoformat()[:19]}Z"
