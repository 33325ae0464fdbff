"""PINs of cards with money: asked for above a limit, and locked after a few wrong ones.

Only a keyed digest is kept. Whoever checks a PIN holds the card, and the count of wrong ones is committed with the
refusal: guessing with many tills at once gains no try.
"""

import hmac
import re
import secrets

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.errors import Conflict, Forbidden, Sentence, Unprocessable
from app.ledger.held import Held
from app.value.models import ValueCard
from app.vault import Vault

DIGITS = 6
TRIES = 5
SHAPE = re.compile(r"[0-9]{4,8}")


def give(session: Session, card: ValueCard, serial: str, pin: str | None = None) -> str:
    """Set a card's PIN, a new one of six digits unless given, and return it: it cannot be read again.

    Raises: Unprocessable `invalid_pin`.
    """
    chosen = pin or "".join(secrets.choice("0123456789") for _ in range(DIGITS))
    if not SHAPE.fullmatch(chosen) or len(set(chosen)) == 1:
        text = "A PIN has 4 to 8 digits, not all the same."
        raise Unprocessable("invalid_pin", text, errors={"pin": text})
    card.pin_digest, card.wrong_pins = _digest(session, serial, chosen), 0
    session.flush()
    return chosen


def check(session: Session, card: Held, pin: str | None, *, limit: str) -> None:
    """See that whoever pays knows the PIN of a held card; *limit* is what needs none, as money.

    Raises: Forbidden `pin_needed`; Forbidden `wrong_pin`, which commits the count; Conflict `pin_locked`; Conflict
    `no_pin`, if the card has none.
    """
    kept = session.get(ValueCard, card.id, populate_existing=True)
    if kept is None or kept.pin_digest is None:
        text = Sentence("Above %(limit)s a card needs a PIN, and this one has none; give it one first.", limit=limit)
        raise Conflict("no_pin", text, errors={"pin": text})
    if kept.wrong_pins >= TRIES:
        text = Sentence("Too many wrong PINs: up to %(limit)s goes on, above it the card needs a new PIN.", limit=limit)
        raise Conflict("pin_locked", text, errors={"pin": text})
    if not pin:
        text = Sentence("Above %(limit)s the card's PIN is asked for.", limit=limit)
        raise Forbidden("pin_needed", text, errors={"pin": text})
    if hmac.compare_digest(kept.pin_digest, _digest(session, card.serial, pin)):
        _count(session, card.id, 0)
        return
    _count(session, card.id, kept.wrong_pins + 1)
    text = Sentence("This PIN is wrong; %(left)s tries are left.", left=TRIES - kept.wrong_pins - 1)
    raise Forbidden("wrong_pin", text, errors={"pin": text}, commits=True)


def _count(session: Session, card_id: int, wrong: int) -> None:
    counted = update(ValueCard).where(ValueCard.card_id == card_id).values(wrong_pins=wrong)
    session.execute(counted.execution_options(synchronize_session=False))


def _digest(session: Session, serial: str, pin: str) -> str:
    vault: Vault = session.info["vault"]
    return vault.blind(f"pin:{serial}:{pin}")
