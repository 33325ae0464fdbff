"""Both wallets' faces of a look, drawn from the very JSON that phones would get, and what is wrong with it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.admin.look import remarks
from app.admin.look.remarks import Remark
from app.admin.look.subject import Subject
from app.admin.texts import gettext
from app.cards.design import Design
from app.i18n import LANGUAGES
from app.wallets.apple import face as apple_face
from app.wallets.apple.access import pass_token
from app.wallets.apple.artwork import Look
from app.wallets.apple.issuer import issuer
from app.wallets.google import face as google_face
from app.wallets.google.face import Place
from app.wallets.view import CardView, TierView
from app.world import World
from passes.apple import bundle
from passes.apple.bundle import Artwork
from passes.apple.encode import encode
from passes.apple.lint import lint
from passes.apple.verify import RULES as SIGNATURE_RULES
from passes.errors import InvalidPass
from passes.google import encode as google_encode
from passes.google.ids import ResourceId

# For pages of installations that have no issuer yet; nothing is sent under it.
ISSUER_OF_PREVIEWS = "3388000000000000000"
SIGNATURE_CODES = {rule.code for rule in SIGNATURE_RULES}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the preview is shown as."""

    language: str
    tier: TierView | None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A face is None where the wallet would refuse it; `remarks` then say why. `blocks`: it must not be published."""

    apple: dict[str, Any] | None = None
    apple_images: dict[str, str] = field(default_factory=dict)
    google_class: dict[str, Any] | None = None
    google_object: dict[str, Any] | None = None
    google_images: dict[str, str] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    @property
    def blocks(self) -> bool:
        return any(one.tone == "bad" for one in self.remarks)


def draw(world: World, subject: Subject, design: Design, choice: Choice) -> Preview:
    """Draw a look in one language and examine it in all. Uses no transaction."""
    shown = subject.dressed(design, language=choice.language, tier=choice.tier)
    artwork = _artwork(world, subject, shown)
    found = [*remarks.of_design(design, shown.programme), *remarks.of_pictures(subject.pictures)]
    apple: dict[str, Any] | None = None
    google: tuple[dict[str, Any], dict[str, Any]] | None = None
    for language in (choice.language, *(one for one in LANGUAGES if one != choice.language)):
        view = subject.dressed(design, language=language, tier=choice.tier)
        apple_json, apple_found = _apple(world, view, artwork)
        google_json, google_found = _google(world, view, subject)
        found += [*apple_found, *google_found]
        if language == choice.language:
            apple, google = apple_json, google_json
    return Preview(
        apple=apple,
        apple_images=_apple_images(subject, artwork),
        google_class=google[0] if google else None,
        google_object=google[1] if google else None,
        google_images=_google_images(subject, artwork),
        remarks=remarks.gathered(found),
    )


def _artwork(world: World, subject: Subject, view: CardView) -> Artwork:
    background, foreground, _ = apple_face.colours(view)
    uploads = {slot: asset.content for slot, asset in subject.pictures.items() if slot != "hero"}
    look = Look(name=view.programme.name, background_color=background, foreground_color=foreground, uploads=uploads)
    return issuer(world).artwork.get(f"look:{look.key}", lambda: look)


def _apple(world: World, view: CardView, artwork: Artwork) -> tuple[dict[str, Any] | None, list[Remark]]:
    """pass.json, and what Wallet would say of the whole archive. Its signature is the certificate's own matter."""
    token = pass_token(world, view.programme.pass_type_identifier, view.serial)
    try:
        content = encode(apple_face.store_card(view, base_url=world.settings.base_url, token=token))
        archive = bundle.pack(artwork, {"pass.json": content}, lambda _manifest: b"")
    except InvalidPass as problem:
        return None, [remarks.refused(gettext("Apple Wallet"), line) for line in problem.problems]
    findings = [one for one in lint(archive, at=view.as_of) if one.code not in SIGNATURE_CODES]
    return json.loads(content), [remarks.of_apple(one) for one in findings]


def _google(
    world: World, view: CardView, subject: Subject
) -> tuple[tuple[dict[str, Any], dict[str, Any]] | None, list[Remark]]:
    at = google_face.place(world.settings)
    if not at.issuer:
        at = Place(issuer=ISSUER_OF_PREVIEWS, base_url=at.base_url, callback_url=at.callback_url)
    pictures = {slot: f"{at.base_url}{address(asset.sha256)}" for slot, asset in subject.pictures.items()}
    try:
        shared = google_face.loyalty_class(view.programme, view.tier, pictures, at=at)
        own = google_face.loyalty_object(view, id=ResourceId(issuer=at.issuer, suffix="card.preview"), at=at)
        bodies = google_encode.body(shared), google_encode.body(own)
    except InvalidPass as problem:
        return None, [remarks.refused(gettext("Google Wallet"), line) for line in problem.problems]
    findings = [*google_encode.lint(shared), *google_encode.lint(own)]
    return bodies, [remarks.of_google(one) for one in findings]


def address(sha256: str) -> str:
    """Where an uploaded picture is served."""
    return f"/assets/{sha256}.png"


def _apple_images(subject: Subject, artwork: Artwork) -> dict[str, str]:
    """What the pass carries: drawn pictures as they are, uploads from where they are served."""
    found = {}
    for slot, name in (("logo", "logo@2x.png"), ("strip", "strip@2x.png")):
        asset = subject.pictures.get(slot)
        found[slot] = address(asset.sha256) if asset else _inline(artwork.files, name)
    return found


def _google_images(subject: Subject, artwork: Artwork) -> dict[str, str]:
    logo, hero = subject.pictures.get("logo"), subject.pictures.get("hero")
    found = {"logo": address(logo.sha256) if logo else _inline(artwork.files, "icon@3x.png")}
    return {**found, "hero": address(hero.sha256)} if hero else found


def _inline(files: Mapping[str, bytes], name: str) -> str:
    return "data:image/png;base64," + base64.b64encode(files[name]).decode()
