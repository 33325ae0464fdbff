"""Batches of codes: asked for, made chunk by chunk, called back."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Executable, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app import ids
from app.cards import texts
from app.cards.models import Programme, Store
from app.coupons import codes
from app.coupons.models import Batch, Coupon
from app.db import rows_changed, table_of
from app.errors import Conflict, NotFound, Unprocessable
from app.ledger.booking import LARGEST_POINTS
from app.vault import Vault

LARGEST_BATCH = 1_000_000
CHUNK = 5_000
GIVES = ("reward", "points", "offer")
_COUPON = table_of(Coupon)


@dataclass(frozen=True, kw_only=True)
class BatchDraft:
    """Codes as they are asked for. `subject`: the public id of the reward or offer, which the caller has looked up."""

    name: str
    gives: str
    size: int
    subject: str = ""
    points: int = 0
    stores: Sequence[int] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def ask(session: Session, programme: Programme, draft: BatchDraft, *, by: str, now: datetime) -> Batch:
    """Write down that codes are wanted; `make_chunk` makes them.

    Raises: Unprocessable `batch_too_large` above 1,000,000 codes, `invalid_batch` with a sentence for each field.
    """
    vault: Vault = session.info["vault"]
    batch = _written(session, programme, draft, by=by, now=now)
    batch.seed = vault.seal(secrets.token_bytes(codes.SEED_BYTES))
    session.flush()
    return batch


def take_in(
    session: Session, programme: Programme, draft: BatchDraft, own: Sequence[str], *, by: str, now: datetime
) -> Batch:
    """Keep a few codes that were made elsewhere, normalised and each once in *own*, at once.

    Raises: as `ask`; Conflict `code_taken`, if one of them is in use already (`taken` says which beforehand).
    """
    batch_id, public_id = begin_own(session, programme_id=programme.id, draft=draft, by=by, now=now)
    if keep_own(session, batch_id, first=0, own=own) != len(own):
        raise Conflict("code_taken", "Another file with some of these codes was brought in meanwhile; check it again.")
    finish_own(session, batch_id)
    return by_public_id(session, public_id)


def begin_own(session: Session, *, programme_id: int, draft: BatchDraft, by: str, now: datetime) -> tuple[int, str]:
    """A batch for codes that were made elsewhere; its row id and its public id.

    Raises: as `ask`.
    """
    batch = _written(session, session.get_one(Programme, programme_id), draft, by=by, now=now)
    return batch.id, batch.public_id


def keep_own(session: Session, batch_id: int, *, first: int, own: Sequence[str]) -> int:
    """Keep some codes of such a batch; how many were new."""
    batch = session.get_one(Batch, batch_id, with_for_update=True, populate_existing=True)
    vault: Vault = session.info["vault"]
    rows = [
        {"batch_id": batch_id, "no": number, "digest": codes.digest(vault, batch.programme_id, code)}
        for number, code in enumerate(own, start=first)
    ]
    kept = _kept(session, rows)
    batch.made += kept
    batch.next_no = first + len(own)
    session.flush()
    return kept


def finish_own(session: Session, batch_id: int) -> None:
    """All codes of such a batch were looked at."""
    batch = session.get_one(Batch, batch_id, with_for_update=True, populate_existing=True)
    if batch.state == "making":
        batch.state, batch.size = "ready", max(1, batch.made)
        session.flush()


def taken(session: Session, programme_id: int, own: Sequence[str]) -> set[str]:
    """Which of these normalised codes the programme has already."""
    vault: Vault = session.info["vault"]
    by_digest = {codes.digest(vault, programme_id, code): code for code in own}
    digests, found = list(by_digest), set()
    for at in range(0, len(digests), 500):
        query = select(Coupon.digest).where(Coupon.digest.in_(digests[at : at + 500]))
        found |= {by_digest[bytes(one)] for one in session.scalars(query)}
    return found


def being_made(session: Session, *, limit: int = 10) -> list[int]:
    """Batches that are not complete yet, the oldest first."""
    return list(
        session.scalars(
            select(Batch.id).where(Batch.state == "making", Batch.seed.is_not(None)).order_by(Batch.id).limit(limit)
        )
    )


def make_chunk(session: Session, batch_id: int, *, chunk: int = CHUNK) -> int:
    """Make some more codes of a batch; how many. Its row is locked: two processes do not make the same ones.

    A code that happens to exist already, once in many millions, is left out, and the next one taken.
    """
    query = select(Batch).where(Batch.id == batch_id).with_for_update().execution_options(populate_existing=True)
    batch = session.scalars(query).one()
    if batch.state != "making" or batch.seed is None:
        return 0
    vault: Vault = session.info["vault"]
    wanted = min(chunk, batch.size - batch.made)
    rows = [
        {"batch_id": batch.id, "no": batch.next_no + place, "digest": codes.digest(vault, batch.programme_id, code)}
        for place, code in enumerate(codes.computed(vault.open(batch.seed), batch.next_no, wanted))
    ]
    made = _kept(session, rows)
    batch.made += made
    batch.next_no += wanted
    if batch.made >= batch.size:
        batch.state = "ready"
    session.flush()
    return made


def revoke(session: Session, batch: Batch, *, now: datetime) -> bool:
    """Call all codes of a batch back that are not used yet; whether it was not done already."""
    mine = (
        update(Batch)
        .where(Batch.id == batch.id, Batch.state != "revoked")
        .values(state="revoked", revoked_at=now, seed=None)
        .execution_options(synchronize_session=False)
    )
    done = rows_changed(session, mine) == 1
    session.refresh(batch)
    return done


def by_public_id(session: Session, public_id: str) -> Batch:
    """A batch as it stands.

    Raises: NotFound `unknown_batch`.
    """
    query = select(Batch).where(Batch.public_id == public_id).execution_options(populate_existing=True)
    batch = session.scalars(query).one_or_none()
    if batch is None:
        raise NotFound("unknown_batch", "There is no such batch of codes.")
    return batch


def of_programme(session: Session, programme_id: int, *, limit: int = 200) -> list[Batch]:
    """A programme's batches, the newest first."""
    query = select(Batch).where(Batch.programme_id == programme_id).order_by(Batch.id.desc()).limit(limit)
    return list(session.scalars(query))


def used_counts(session: Session, batch_ids: Sequence[int]) -> dict[int, int]:
    """How many codes of batches were used."""
    query = (
        select(Coupon.batch_id, func.count())
        .where(Coupon.batch_id.in_(batch_ids), Coupon.used_at.is_not(None))
        .group_by(Coupon.batch_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _written(session: Session, programme: Programme, draft: BatchDraft, *, by: str, now: datetime) -> Batch:
    _check(session, programme, draft, now)
    batch = Batch(
        public_id=ids.public_id("cpb"),
        programme_id=programme.id,
        name=draft.name.strip(),
        gives=draft.gives,
        subject=draft.subject,
        points=draft.points,
        stores=sorted(set(draft.stores)),
        size=draft.size,
        made=0,
        next_no=0,
        state="making",
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        created_by=by,
        created_at=now,
    )
    session.add(batch)
    session.flush()
    return batch


def _check(session: Session, programme: Programme, draft: BatchDraft, now: datetime) -> None:
    if draft.size > LARGEST_BATCH:
        text = "A batch has at most 1000000 codes; make several."
        raise Unprocessable("batch_too_large", text, errors={"size": text})
    errors: dict[str, str] = {}
    if not 1 <= len(draft.name.strip()) <= 100 or not texts.is_showable(draft.name):
        errors["name"] = "A batch has a name of 1 to 100 characters."
    if draft.size < 1:
        errors["size"] = "A batch has at least one code."
    if draft.gives not in GIVES or (draft.gives != "points") != bool(draft.subject):
        errors["gives"] = "A code gives a reward, points, or an offer."
    if draft.gives == "points" and not 1 <= draft.points <= LARGEST_POINTS:
        errors["points"] = "Points are a whole number above zero."
    if draft.ends_at is not None and draft.ends_at <= (draft.starts_at or now):
        errors["ends_at"] = "The end comes after the start, and is not over yet."
    own = select(func.count()).select_from(Store).where(Store.id.in_(draft.stores), Store.programme_id == programme.id)
    if draft.stores and session.scalar(own) != len(set(draft.stores)):
        errors["stores"] = "Choose from this programme's own."
    if errors:
        raise Unprocessable("invalid_batch", " ".join(errors.values()), errors=errors)


def _kept(session: Session, rows: list[dict[str, Any]]) -> int:
    """Insert codes that are new; how many were."""
    if not rows:
        return 0
    batch_id, first = rows[0]["batch_id"], rows[0]["no"]
    session.execute(_insert(session.get_bind().dialect.name), rows)
    # drivers do not agree on how to count the rows of many inserts
    counted = select(func.count()).where(Coupon.batch_id == batch_id, Coupon.no >= first, Coupon.no <= rows[-1]["no"])
    return session.scalar(counted) or 0


@cache
def _insert(dialect: str) -> Executable:
    made = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return made(_COUPON).on_conflict_do_nothing().inline()
