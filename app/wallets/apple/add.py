"""A card's signed pass: built when it is asked for, outside of any transaction, and kept while it is current."""

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import Counter, Histogram
from sqlalchemy import bindparam
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.models import Card
from app.errors import Busy, NotFound, Sentence
from app.lookup import Lookup, Row
from app.wallets.apple import face, issues, stencil
from app.wallets.apple.access import pass_token
from app.wallets.apple.artwork import Look
from app.wallets.apple.identities import Credential
from app.wallets.apple.issuer import issuer
from app.wallets.apple.stencil import Stencil, cut, kind, own
from app.wallets.view import CardRow, CardView, Facts, cards_by, draw
from app.world import World
from passes.apple.bundle import Artwork, pack_own
from passes.apple.encode import encode
from passes.errors import IdentityError, InvalidPass

BUILT = Counter("tessera_passes_built", "Apple passes built and signed.")
BUILD_SECONDS = Histogram(
    "tessera_pass_build_seconds",
    "Time to encode, pack and sign one pass.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1),
)
_BY_ID = Lookup(cards_by(Card.id == bindparam("id")))
_BY_LINK = Lookup(cards_by(Card.link == bindparam("link")))


@dataclass(frozen=True, kw_only=True)
class SignedPass:
    """The bytes of a .pkpass and what belongs into its answer's headers; `signed_with` names the certificate."""

    content: bytes
    card_id: int
    version: int
    modified_at: datetime
    signed_with: str


def signed_pass(world: World, card_id: int) -> SignedPass:
    """The card's pass as it should be now, signed.

    Raises: NotFound `unknown_card`; Busy `no_pass_certificate` with the reason in words, `unusable_pass` if Wallet
        would refuse what the programme's data make, or `too_many_passes` with a time to try again.
    """
    return _found(world, _BY_ID.one(world.database, id=card_id))


def signed_pass_by_link(world: World, link: str) -> SignedPass:
    """As `signed_pass`, for the customer's page: the phone that registers next holds this version.

    Raises: as `signed_pass`.
    """
    signed = _found(world, _BY_LINK.one(world.database, link=link))
    with contextlib.suppress(OperationalError, Busy):  # unknown only means one push more
        issues.note(world.database, signed.card_id, signed.version, signed.signed_with, world.clock())
    return signed


def issue(world: World, row: CardRow, token: str) -> SignedPass:
    """The pass of a card that was read just now, for a caller that has a seat; no transaction may be open.

    Raises: as `signed_pass`, apart from `too_many_passes`.
    """
    now = world.clock()
    kept = issuer(world)
    facts = kept.facts.get(row.programme_id, row.revision)
    programme = facts.programme
    credential = kept.credential(programme.pass_type_identifier, programme.team_identifier, now)
    # Everything that can change the archive. A version covers nearly all; an offer that has just gone live shows at
    # once on cards that the bulk change has not reached yet, so revision and what stands on the card are named too.
    key = (row.card_id, row.version, row.language, facts.revision, credential.fingerprint, *_standing(row, facts, now))
    archive = kept.archives.get(key)
    if archive is None:
        view = draw(row, facts, words=kept.words.get(row.message_text_id), vault=world.vault, now=now)
        artwork, pattern = _kind(world, row, facts, view)
        archive = artwork.local, _signed(world, artwork, pattern.fill(own(row, view, token)), credential, now)
        kept.archives.put(key, archive)
    return SignedPass(
        content=archive[0] + archive[1],
        card_id=row.card_id,
        version=row.version,
        modified_at=row.modified_at,
        signed_with=credential.fingerprint,
    )


def pass_json(world: World, view: CardView) -> dict[str, Any]:
    """The decoded pass.json of a view, for pages that draw the card; unsigned and without a token.

    Raises: Busy `unusable_pass`, naming what Wallet would refuse.
    """
    decoded: dict[str, Any] = json.loads(_encoded(world, view))
    return decoded


def look_of(session: Session, view: CardView) -> Look:
    """What the pictures of a card are made from."""
    background, foreground, _ = face.colours(view)
    uploads: Mapping[str, bytes] = {
        slot: asset.content for slot, asset in cards.assets(session, view.programme.id).items() if slot != "hero"
    }
    return Look(name=view.programme.name, background_color=background, foreground_color=foreground, uploads=uploads)


def artwork_of(world: World, view: CardView) -> Artwork:
    """The pictures inside a card's pass, made once for a look; `files` holds them by archive name (`strip@2x.png`).

    Reads in a transaction of its own where they have to be made, so none should be open.
    """

    def look() -> Look:
        with world.database.reading() as session:
            return look_of(session, view)

    programme = view.programme
    key = (programme.id, programme.design_version, programme.name, face.colours(view)[:2])
    return issuer(world).artwork.get(key, look)


def _found(world: World, row: Row | None) -> SignedPass:
    if row is None:
        raise NotFound("unknown_card", "There is no such card.")
    with issuer(world).places:
        found = CardRow._make(row)
        return issue(world, found, pass_token(world, found.pass_type_identifier, found.serial))


def _standing(row: CardRow, facts: Facts, now: datetime) -> tuple[object, ...]:
    """The offers and the message that stand on a card at *now*."""
    if not facts.opened and row.message_text_id is None:
        return ()
    offers = tuple(stencil.face_of(offer, now) for offer in facts.offers_for(row.own, now))
    message = row.message
    is_told = message is not None and message.starts_at <= now < message.ends_at
    return offers, (message.text_id, message.starts_ms) if message is not None and is_told else None


def _kind(world: World, row: CardRow, facts: Facts, view: CardView) -> tuple[Artwork, Stencil]:
    """What the pass shares with all cards of its kind; made once for each."""
    kept = issuer(world).kinds
    key = (facts, *kind(row, view))
    found = kept.get(key)
    if found is None:
        try:
            found = artwork_of(world, view), cut(view, base_url=world.settings.base_url)
        except InvalidPass as problem:
            raise _unusable(problem) from problem
        kept.put(key, found)
    return found


def _signed(world: World, artwork: Artwork, content: bytes, credential: Credential, now: datetime) -> bytes:
    """The part of the archive that is the card's own."""
    started = time.perf_counter()
    try:
        own = pack_own(artwork, {"pass.json": content}, lambda manifest: credential.signer.sign(manifest, at=now))
    except IdentityError as problem:
        pass_type = credential.signer.identity.pass_type_identifier
        raise issuer(world).identities.refusal(pass_type, str(problem)) from problem
    BUILD_SECONDS.observe(time.perf_counter() - started)
    BUILT.inc()
    return own


def _encoded(world: World, view: CardView) -> bytes:
    try:
        return encode(face.store_card(view, base_url=world.settings.base_url, token=None))
    except InvalidPass as problem:
        raise _unusable(problem) from problem


def _unusable(problem: InvalidPass) -> Busy:
    """Said in full, because whoever tries the first card of a programme is the one who can mend it."""
    reason = str(problem)
    if any(line.startswith("web_service_url") for line in problem.problems):
        reason += "; the address comes from TESSERA_BASE_URL, set it to https://…"
    text = Sentence("This card cannot be issued for Apple Wallet as it is set up: %(reason)s.", reason=reason)
    return Busy("unusable_pass", text, retry_after_s=300)
