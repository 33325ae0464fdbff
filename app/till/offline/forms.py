"""What a till sends after a time without a connection: each item is checked alone, so that a bad one holds up none."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from app import money
from app.cards import codes
from app.errors import Sentence, Unprocessable
from app.till.offline.rules import LARGEST_BATCH, LARGEST_POINTS, LONGEST_RECEIPT
from app.till.rules import PUBLIC_ID

CLIENT_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KINDS = ("earn", "stamp", "redeem")
ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
LONGEST_KEY = 255
LONGEST_TIME = 40


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A sale, a stamp or a redemption as a till kept it. `form_key`: of the form that got no answer before."""

    client_id: str
    kind: str
    number: str
    amount_minor: int | None
    points: int | None
    stamp_card: str | None
    currency: str
    receipt: str | None
    made_at: datetime
    zone: str
    cashier: str
    place: str
    form_key: str | None

    @property
    def body(self) -> bytes:
        """All of it, always written the same way: by this a repeated sending is recognised."""
        return json.dumps(asdict(self), default=str, sort_keys=True).encode()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Kept":
        """Raises: Unprocessable `invalid_item`, `not_a_code` or `invalid_amount`."""
        kind = _one_of(raw, "kind", KINDS)
        number = codes.normalise(_text(raw, "code", 64))
        if number is None:
            raise Unprocessable("not_a_code", "This is not a card code. Check it for a typing mistake.")
        return cls(
            client_id=client_id(raw),
            kind=kind,
            number=number,
            amount_minor=_whole(raw, "amount", money.LARGEST_MINOR) if kind == "earn" else None,
            points=_whole(raw, "points", LARGEST_POINTS) if kind == "redeem" else None,
            stamp_card=_id(raw, "stamp_card") if kind == "stamp" else None,
            currency=_matching(raw, "currency", re.compile("[A-Z]{3}")),
            receipt=_text(raw, "receipt", LONGEST_RECEIPT).strip() or None if raw.get("receipt") else None,
            made_at=moment(raw.get("at")),
            zone=_matching(raw, "zone", ZONE),
            cashier=_id(raw, "cashier"),
            place=_id(raw, "place"),
            form_key=_text(raw, "key", LONGEST_KEY) if raw.get("key") else None,
        )


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A batch of a till's queue. `sent_at` is the till's clock as it was sent; `items` are not yet checked."""

    sent_at: datetime
    items: tuple[Mapping[str, Any], ...]

    @classmethod
    def parse(cls, body: object) -> "Delivery":
        """Raises: Unprocessable `invalid_batch` or `too_many_items`."""
        items = body.get("items") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
            raise Unprocessable("invalid_batch", 'Send {"sent_at": …, "items": […]}, each item an object.')
        if len(items) > LARGEST_BATCH:
            text = Sentence("Send at most %(most)s items at once.", most=LARGEST_BATCH)
            raise Unprocessable("too_many_items", text)
        return cls(sent_at=moment(body.get("sent_at")), items=tuple(items))


def client_id(raw: Mapping[str, Any]) -> str:
    """The till's own name for an item.

    Raises: Unprocessable `invalid_item`.
    """
    return _matching(raw, "id", CLIENT_ID)


def moment(value: object) -> datetime:
    """An instant as scripts write it, RFC 3339 with an offset.

    Raises: Unprocessable `invalid_item`.
    """
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= LONGEST_TIME else None
        found = found.astimezone(UTC) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError):
        found = None
    if found is None or not 2000 <= found.year <= 9000:
        raise _invalid("at")
    return found


def _text(raw: Mapping[str, Any], name: str, longest: int) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable():
        raise _invalid(name)
    return value


def _matching(raw: Mapping[str, Any], name: str, shape: re.Pattern[str]) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise _invalid(name)
    return value


def _id(raw: Mapping[str, Any], name: str) -> str:
    return _matching(raw, name, PUBLIC_ID)


def _one_of(raw: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = raw.get(name)
    if value not in allowed:
        raise _invalid(name)
    return str(value)


def _whole(raw: Mapping[str, Any], name: str, largest: int) -> int:
    value = raw.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= largest:
        raise _invalid(name, "invalid_amount")
    return value


def _invalid(name: str, code: str = "invalid_item") -> Unprocessable:
    text = Sentence("This item was not understood (%(field)s). Write it down and book it by hand.", field=name)
    return Unprocessable(code, text, errors={name: text})
