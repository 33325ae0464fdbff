"""A card's signed pass: built when it is asked for, outside of any transaction, and kept while it is current."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import Counter, Histogram
from sqlalchemy.orm import Session

from app.cards import service as cards
from app.errors import Busy, NotFound, Sentence
from app.wallets import view as views
from app.wallets.apple import face
from app.wallets.apple.artwork import Look
from app.wallets.apple.identities import Credential
from app.wallets.apple.issuer import issuer
from app.wallets.view import CardView
from app.world import World
from passes.apple.building import build
from passes.apple.bundle import Artwork
from passes.apple.encode import encode
from passes.apple.webservice import authentication_token
from passes.errors import IdentityError, InvalidPass

BUILT = Counter("tessera_passes_built", "Apple passes built and signed.")
BUILD_SECONDS = Histogram(
    "tessera_pass_build_seconds",
    "Time to encode, pack and sign one pass.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1),
)


@dataclass(frozen=True, kw_only=True)
class SignedPass:
    """The bytes of a .pkpass and what belongs into its answer's headers."""

    content: bytes
    card_id: int
    version: int
    modified_at: datetime


def signed_pass(world: World, card_id: int) -> SignedPass:
    """The card's pass as it should be now, signed.

    Raises: NotFound `unknown_card`; Busy `no_pass_certificate` with the reason in words, `unusable_pass` if Wallet
        would refuse what the programme's data make, or `too_many_passes` with a time to try again.
    """
    now = world.clock()
    with world.database.reading() as session:
        view = views.card_views(session, [card_id], now).get(card_id)
    if view is None:
        raise NotFound("unknown_card", "There is no such card.")
    return _signed(world, view, now)


def signed_pass_by_link(world: World, link: str) -> SignedPass:
    """As `signed_pass`, for the customer's page.

    Raises: as `signed_pass`.
    """
    now = world.clock()
    with world.database.reading() as session:
        card = cards.by_link(session, link)
        view = views.card_view(session, card, now=now) if card else None
    if view is None:
        raise NotFound("unknown_card", "There is no such card.")
    return _signed(world, view, now)


def pass_token(world: World, pass_type: str, serial: str) -> str:
    """The secret that a phone shows for this pass; the same for its whole life, and kept nowhere."""
    return authentication_token(pass_type, serial, key=world.vault.pass_token_key)


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

    key = f"{view.programme.id}:{view.programme.design_version}:{view.programme.name}:{face.colours(view)[:2]}"
    return issuer(world).artwork.get(key, look)


def _signed(world: World, view: CardView, now: datetime) -> SignedPass:
    kept = issuer(world)
    programme = view.programme
    credential = kept.identities.credential(programme.pass_type_identifier, at=now, team=programme.team_identifier)
    key = _visible(view, credential)
    content = kept.archives.get(key)
    if content is None:
        with kept.signing():
            content = _built(world, view, credential, now)
        kept.archives.put(key, content)
    kept.issues.note(view.card_id, view.version, now)
    return SignedPass(content=content, card_id=view.card_id, version=view.version, modified_at=view.modified_at)


def _visible(view: CardView, credential: Credential) -> tuple[object, ...]:
    """Everything that can change the archive. A version covers nearly all; an offer that has just gone live shows at
    once on cards that the bulk change has not reached yet, so the live offers are named too."""
    live = (tuple(offer.id for offer in view.offers), view.latest_is_news)
    return (view.card_id, view.version, view.language, view.programme.design_version, live, credential.fingerprint)


def _built(world: World, view: CardView, credential: Credential, now: datetime) -> bytes:
    token = pass_token(world, view.programme.pass_type_identifier, view.serial)
    card = face.store_card(view, base_url=world.settings.base_url, token=token)

    started = time.perf_counter()
    try:
        content = build(card, artwork_of(world, view), credential.signer, at=now)
    except InvalidPass as problem:
        raise _unusable(problem) from problem
    except IdentityError as problem:
        raise issuer(world).identities.refusal(view.programme.pass_type_identifier, str(problem)) from problem
    BUILD_SECONDS.observe(time.perf_counter() - started)
    BUILT.inc()
    return content


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
