"""What the database knows of certificates while one takes over from another."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.db import insert_for
from app.wallets.apple.models import RefusedCertificate, Registration


class Signed(NamedTuple):
    """How many cards on phones a certificate signed last; `fingerprint` is empty where nobody has fetched since."""

    pass_type: str
    fingerprint: str
    cards: int


def note_refused(session: Session, fingerprint: str, *, pass_type: str, reason: str, now: datetime) -> None:
    """APNs refused this certificate, and the one before it pushes in its place."""
    insert = insert_for(session, RefusedCertificate).values(
        fingerprint=fingerprint, pass_type_identifier=pass_type, reason=reason[:200], at=now
    )
    session.execute(insert.on_conflict_do_update(index_elements=["fingerprint"], set_={"reason": reason[:200]}))


def note_accepted(session: Session, fingerprint: str) -> None:
    """APNs takes this certificate."""
    session.execute(delete(RefusedCertificate).where(RefusedCertificate.fingerprint == fingerprint))


def refused(session: Session) -> Sequence[RefusedCertificate]:
    """Certificates in whose place older ones push, longest first."""
    return session.scalars(select(RefusedCertificate).order_by(RefusedCertificate.at)).all()


def note_signed(session: Session, signed: Mapping[int, str]) -> None:
    """Phones downloaded these cards: {card id: fingerprint}. Rows change only while a certificate is renewed."""
    for fingerprint in sorted(set(signed.values())):
        cards = sorted(card_id for card_id, by in signed.items() if by == fingerprint)
        session.execute(
            update(Registration)
            .where(Registration.card_id.in_(cards), Registration.signed_with != fingerprint)
            .values(signed_with=fingerprint)
            .execution_options(synchronize_session=False)
        )


def signed_counts(session: Session) -> list[Signed]:
    """Cards on phones by the certificate of their newest file."""
    kinds = (Registration.pass_type_identifier, Registration.signed_with)
    counted = select(*kinds, func.count(Registration.card_id.distinct())).group_by(*kinds).order_by(*kinds)
    return [Signed._make(row) for row in session.execute(counted)]
