"""What is wrong, or not well, with a look, in one form whoever found it; needs a page around it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.admin.texts import gettext
from app.cards.design import READABLE, Design, contrast
from app.cards.models import Asset
from app.wallets.apple import face as apple_face
from app.wallets.google import face as google_face
from app.wallets.view import ProgrammeView
from passes.apple.findings import Finding as AppleFinding
from passes.apple.findings import Severity
from passes.google.findings import Finding as GoogleFinding

TONES = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.NOTE: "note"}
WEIGHTS = {"bad": 0, "warn": 1, "note": 2}


@dataclass(frozen=True, kw_only=True)
class Remark:
    """One finding: where it is seen, what is wrong, how to mend it. A `bad` one forbids publishing.

    `places` names what of a wallet's own JSON it is about.
    """

    tone: str
    where: str
    text: str
    hint: str = ""
    places: tuple[str, ...] = ()


def gathered(found: Iterable[Remark]) -> tuple[Remark, ...]:
    """Each remark once, with all the places that it is made of; the gravest first."""
    kept: dict[tuple[str, str, str, str], dict[str, None]] = {}
    for one in sorted(found, key=lambda one: WEIGHTS[one.tone]):
        kept.setdefault((one.tone, one.where, one.text, one.hint), {}).update(dict.fromkeys(one.places))
    return tuple(
        Remark(tone=tone, where=where, text=text, hint=hint, places=tuple(places))
        for (tone, where, text, hint), places in kept.items()
    )


def refused(wallet: str, problem: str) -> Remark:
    """The wallet would not take the card at all."""
    return Remark(tone="bad", where=wallet, text=problem)


def of_apple(finding: AppleFinding) -> Remark:
    return Remark(
        tone=TONES[finding.severity],
        where=gettext("Apple Wallet"),
        text=_capital(finding.message),
        hint=_capital(finding.hint),
        places=(finding.where,) if finding.where else (),
    )


def of_google(finding: GoogleFinding) -> Remark:
    return Remark(
        tone="warn",
        where=gettext("Google Wallet"),
        text=_capital(finding.what),
        hint=_capital(finding.mend),
        places=(finding.path,),
    )


def of_pictures(pictures: Mapping[str, Asset]) -> Iterator[Remark]:
    """Pictures that nobody has uploaded; the wallets get drawn ones instead."""
    missing = {
        "icon": gettext("There is no icon; the lock screen shows the logo, or a letter on the background."),
        "logo": gettext("There is no logo; both wallets show a letter on the programme's colours."),
        "strip": gettext("There is no strip; Apple Wallet shows bands in the programme's colours."),
        "hero": gettext("There is no hero picture; Google Wallet leaves its place out."),
    }
    hint = gettext("Upload one under Pictures.")
    for slot, text in missing.items():
        if slot not in pictures:
            tone = "warn" if slot == "logo" else "note"
            yield Remark(tone=tone, where=gettext("Pictures"), text=text, hint=hint)


def of_design(design: Design, programme: ProgrammeView) -> Iterator[Remark]:
    """Texts that are shortened before they reach a phone, and tiers whose colour changes that of the text."""
    yield from _too_long(gettext("Name of the programme"), programme.name, apple_face.LOGO_TEXT_CHARACTERS)
    yield from _too_long(gettext("Organisation"), programme.organization_name, google_face.NAME_CHARACTERS)
    for tier in programme.tiers:
        for name in {tier.name, *tier.texts.values()}:
            yield from _too_long(gettext("Tier"), name, apple_face.TIER_CHARACTERS)
        if tier.background_color:
            yield from _tier_contrast(design, tier.name, tier.background_color)
    for label, texts in ((gettext("About"), design.about), (gettext("Terms"), design.terms)):
        for language, text in texts.items():
            yield from _too_long(f"{label} ({language})", text, google_face.BODY_CHARACTERS)
    if len(programme.tiers) < 2:
        for language, text in design.benefit.items():
            yield from _too_long(f"{gettext('Benefit')} ({language})", text, apple_face.TIER_CHARACTERS)


def _too_long(where: str, text: str, shown: int) -> Iterator[Remark]:
    if len(text) > shown:
        said = gettext(
            "“%(start)s…” has %(num)d characters; cards show %(shown)d.", start=text[:24], num=len(text), shown=shown
        )
        yield Remark(tone="warn", where=where, text=said, hint=gettext("Shorten it, or accept that its end is cut."))


def _tier_contrast(design: Design, name: str, background: str) -> Iterator[Remark]:
    ratio = contrast(design.foreground_color, background)
    if ratio < READABLE:
        text = gettext(
            "On %(tier)s the text colour has a contrast of %(ratio)s:1 only; it is made lighter or darker there.",
            tier=name,
            ratio=f"{ratio:.1f}",
        )
        yield Remark(tone="note", where=gettext("Tier"), text=text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
