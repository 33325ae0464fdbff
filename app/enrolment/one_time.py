"""One-time codes: sent to the address we have, good for ten minutes and five tries, never saying who is a member."""

import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app import ids
from app.cards.models import Card
from app.db import rows_changed
from app.enrolment.models import OneTimeCode
from app.errors import Unprocessable
from app.vault import Vault

VALID_FOR = timedelta(minutes=10)
MOST_TRIES = 5
DIGITS = 6


def issue(session: Session, programme_id: int, card: Card | None, *, now: datetime) -> tuple[str, str]:
    """Make a code for *card*, or one that opens nothing where there is no card.

    Returns: the id by which the browser speaks of it, and the code itself, which is not stored.
    """
    session.execute(delete(OneTimeCode).where(OneTimeCode.expires_at < now - timedelta(days=1)))
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    row = OneTimeCode(
        id=ids.unguessable(),
        programme_id=programme_id,
        card_id=card.id if card else None,
        digest="",
        expires_at=now + VALID_FOR,
    )
    row.digest = _digest(session, row.id, code)
    session.add(row)
    session.flush()
    return row.id, code


def count_try(session: Session, code_id: str, *, now: datetime) -> bool:
    """Spend one of the five tries, in a transaction of its own; False when none is left or the code is too old."""
    spend = (
        update(OneTimeCode)
        .where(
            OneTimeCode.id == code_id,
            OneTimeCode.tries < MOST_TRIES,
            OneTimeCode.used_at.is_(None),
            OneTimeCode.expires_at > now,
        )
        .values(tries=OneTimeCode.tries + 1)
    )
    return rows_changed(session, spend) == 1


def redeem(session: Session, code_id: str, code: str, *, now: datetime) -> Card:
    """The card that the right code opens; it opens it once. A try must have been counted before.

    Raises: Unprocessable `wrong_code`, alike for a wrong code and for an address that nobody has.
    """
    row = session.get(OneTimeCode, code_id)
    typed = "".join(c for c in code if c.isdigit())
    if row is None or not hmac.compare_digest(row.digest, _digest(session, code_id, typed)):
        raise _wrong()
    taken = update(OneTimeCode).where(OneTimeCode.id == code_id, OneTimeCode.used_at.is_(None)).values(used_at=now)
    card = session.get(Card, row.card_id) if row.card_id else None
    if card is None or card.status != "active" or rows_changed(session, taken) != 1:
        raise _wrong()
    return card


def _wrong() -> Unprocessable:
    text = "This is not the code from the mail. Look at it again, or ask for a new one."
    return Unprocessable("wrong_code", text, errors={"code": text})


def _digest(session: Session, code_id: str, code: str) -> str:
    vault: Vault = session.info["vault"]
    return vault.blind(f"one-time:{code_id}:{code}")
