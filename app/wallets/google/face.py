"""A card as Google Wallet shows it: what all cards of a tier share stands on the class, the rest on the object.

A class is read in the phone's language, so its texts carry all three; an object is one member's and speaks theirs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.cards import codes
from app.i18n import LANGUAGES, nearest, text
from app.settings import Settings
from app.vault import Vault
from app.wallets import notes
from app.wallets.google import vehicles
from app.wallets.google.vehicles import Vehicle
from app.wallets.view import CardView, MessageView, OfferView, ProgrammeView, TierView
from passes.google.ids import ResourceId
from passes.google.model import (
    Barcode,
    Holders,
    Image,
    Link,
    LocalizedText,
    LoyaltyClass,
    LoyaltyObject,
    MerchantLocation,
    Message,
    Money,
    Points,
    State,
    TextModule,
    TimeInterval,
    ValueAddedModule,
)

NAME_CHARACTERS = 20
HEADER_CHARACTERS = 35
BODY_CHARACTERS = 500
TITLE_CHARACTERS, LINE_CHARACTERS = 60, 50
LOCATIONS_MAX = 10
OFFER = "offer-"
BALANCE_MAX = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where this installation stands: its issuer, its address, and where Google reports saves to (None: nowhere)."""

    issuer: str
    base_url: str
    callback_url: str | None


def place(settings: Settings) -> Place:
    """Google reports to https addresses only, and refuses a class that names another."""
    callback = f"{settings.base_url}/google/callback" if settings.secure else None
    return Place(issuer=settings.google_issuer_id, base_url=settings.base_url, callback_url=callback)


def class_id(issuer: str, programme: ProgrammeView, tier: TierView | None) -> ResourceId:
    """The same for the life of the programme and tier."""
    return ResourceId(issuer=issuer, suffix=f"{programme.public_id}.{tier.id if tier else 0}")


def object_id(issuer: str, vault: Vault, serial: str) -> ResourceId:
    """Derived from the serial without telling it: ids stand in links and logs, and are never freed."""
    return ResourceId(issuer=issuer, suffix=f"card.{vault.blind(f'google-object:{serial}')[:32]}")


def loyalty_class(
    programme: ProgrammeView,
    tier: TierView | None,
    pictures: Mapping[str, str],
    *,
    at: Place,
    offers: Sequence[OfferView] = (),
) -> LoyaltyClass:
    """What all cards of a tier share.

    *pictures*: addresses of the uploaded logo and hero, where there are any. *offers*: those that are live or coming;
    Google shows and hides by itself those of them that are not told.
    """
    design = programme.design
    own = tier.background_color if tier else None
    logo = pictures.get("logo") or f"{at.base_url}/assets/default/{programme.slug}-logo.png"
    return LoyaltyClass(
        id=class_id(at.issuer, programme, tier),
        issuer_name=_plain(_cut(programme.organization_name, NAME_CHARACTERS), programme.language),
        programme_name=_plain(_cut(programme.name, NAME_CHARACTERS), programme.language),
        logo=Image(uri=logo, description=_plain(programme.name, programme.language)),
        hero_image=Image(uri=pictures["hero"]) if "hero" in pictures else None,
        background_color=own or design.background_color,
        callback_url=at.callback_url,
        holders=Holders.MANY,
        account_name_label=everywhere("Member"),
        account_id_label=everywhere("Card number"),
        tier=_by_language(tier.name, _tier_names(tier), programme.language) if tier else None,
        tier_label=everywhere("Level") if tier else None,
        text_modules=tuple(_class_modules(programme)),
        links=tuple(_class_links(programme)),
        merchant_locations=tuple(_locations(programme)),
        value_added_modules=tuple(_class_promotions(programme, tier, offers, at)),
    )


def loyalty_object(view: CardView, *, id: ResourceId, at: Place) -> LoyaltyObject:
    """One member's card. An erased one names nobody and opens nothing; no method takes it off the phone."""
    erased = view.status == "erased"
    return LoyaltyObject(
        id=id,
        class_id=class_id(at.issuer, view.programme, view.tier),
        state=State.ACTIVE if view.is_valid else State.INACTIVE,
        account_name=None if erased else view.short_name or None,
        account_id=None if erased else codes.grouped(view.number),
        points=_money(view) if view.kind == "gift" else _points(view, balance=0 if erased else view.balance),
        barcode=None if erased else _barcode(view),
        text_modules=() if erased else tuple(_object_modules(view)),
        links=() if erased else (_page_link(view, at),),
        value_added_modules=tuple(_object_promotions(view, at)) if view.is_valid else (),
    )


def message(offer: OfferView, language: str, *, notify: bool) -> Message:
    """A live offer as a message on the class; its id is the offer's, so that it can be found again."""
    titles = {one: offer.title_in(one) for one in LANGUAGES}
    bodies = {one: offer.body_in(one) or offer.title_in(one) for one in LANGUAGES}
    return Message(
        id=message_id(offer),
        header=_by_language(offer.title, titles, language),
        body=_by_language(offer.body or offer.title, bodies, language),
        shown=TimeInterval(start=offer.starts_at, end=offer.ends_at),
        notify=notify,
    )


def message_id(offer: OfferView) -> str:
    return f"{OFFER}{offer.public_id}"


def own_message(offer: OfferView, language: str, *, notify: bool) -> Message:
    """A live offer as a message on one member's card, in their language."""
    return Message(
        id=message_id(offer),
        header=_plain(offer.title_in(language), language),
        body=_plain(_cut(offer.body_in(language) or offer.title_in(language), BODY_CHARACTERS), language),
        shown=TimeInterval(start=offer.starts_at, end=offer.ends_at),
        notify=notify,
    )


def campaign_message(said: MessageView, language: str, *, notify: bool) -> Message:
    """What a campaign says to one member, in their language."""
    return Message(
        id=said.id,
        header=_plain(said.title, language),
        body=_plain(_cut(said.body or said.title, BODY_CHARACTERS), language),
        shown=TimeInterval(start=said.starts_at, end=said.ends_at),
        notify=notify,
    )


def is_for(offer: OfferView, tier_id: int | None) -> bool:
    """Whether the class of a tier may show an offer."""
    return not offer.is_for_some and (not offer.tiers or tier_id in offer.tiers)


def everywhere(words: str) -> LocalizedText:
    """A text of ours in every language we speak."""
    return _by_language(words, {one: text(one, words) for one in LANGUAGES}, "en")


def _tier_names(tier: TierView) -> dict[str, str]:
    return {one: tier.name_in(one) for one in LANGUAGES}


def _points(view: CardView, *, balance: int) -> Points:
    label = view.programme.design.points_label.get(view.language) or text(view.language, "Points")
    shown: int | str = balance if balance <= BALANCE_MAX else str(balance)
    return Points(label=LocalizedText(value=label, language=view.language), balance=shown)


def _money(view: CardView) -> Points:
    words = LocalizedText(value=text(view.language, "Gift card"), language=view.language)
    return Points(label=words, balance=Money(minor_units=view.money_minor, currency=view.programme.currency))


def _barcode(view: CardView) -> Barcode:
    return Barcode(value=codes.barcode_message(view.number), alternate_text=codes.grouped(view.number))


def _object_modules(view: CardView) -> Iterator[TextModule]:
    language = view.language
    for note in view.notes:
        if note.key == notes.STAMPS:
            continue  # said with the other stamp cards
        yield _module(note.key, note.label, note.text, language)
    if used := _used(view):
        yield _module("used", text(language, "Already used"), used, language)
    rewards = "\n".join(f"{one.name_in(language)}: {one.points}" for one in view.programme.rewards)
    if rewards and view.is_valid and view.kind != "gift":
        yield _module("rewards", text(language, "Rewards"), rewards, language)


def _class_promotions(
    programme: ProgrammeView, tier: TierView | None, offers: Sequence[OfferView], at: Place
) -> Iterator[ValueAddedModule]:
    """The soonest to start; those after them come when one of these is over."""
    mine = [one for one in offers if vehicles.of_offer(one) is Vehicle.CLASS_MODULE]
    mine = sorted((one for one in mine if is_for(one, tier.id if tier else None)), key=lambda one: one.starts_at)
    for place, offer in enumerate(mine[: vehicles.MODULES_MAX]):
        titles = {one: _cut(offer.title_in(one), TITLE_CHARACTERS) for one in LANGUAGES}
        lines = {one: _promise(offer, one) for one in LANGUAGES}
        yield ValueAddedModule(
            header=_by_language(_cut(offer.title, TITLE_CHARACTERS), titles, programme.language),
            body=_by_language(lines[nearest(programme.language)], lines, programme.language),
            uri=f"{at.base_url}/join/{programme.slug}",
            shown=TimeInterval(start=offer.starts_at, end=offer.ends_at),
            sort_index=place,
        )


def _object_promotions(view: CardView, at: Place) -> Iterator[ValueAddedModule]:
    language = view.language
    mine = [one for one in view.offers if vehicles.of_offer(one) is Vehicle.OBJECT_MODULE]
    for place, offer in enumerate(mine[: vehicles.MODULES_MAX]):
        line = text(language, "Already used") if offer.is_used_up else _promise(offer, language)
        yield ValueAddedModule(
            header=_plain(_cut(offer.title_in(language), TITLE_CHARACTERS), language),
            body=_plain(_cut(line, LINE_CHARACTERS), language),
            uri=f"{at.base_url}/c/{view.link}",
            shown=TimeInterval(start=offer.starts_at, end=offer.ends_at),
            sort_index=place,
        )


def _promise(offer: OfferView, language: str) -> str:
    """What it gives and until when, as far as there is room."""
    end = text(language, "Until %(end)s", end=offer.until_in(language))
    both = " · ".join(part for part in (offer.gives_in(language), end) if part)
    return _cut(both if len(both) <= LINE_CHARACTERS else end, LINE_CHARACTERS)


def _used(view: CardView) -> str:
    """Offers that this card has used as often as it may, and that do not say so themselves."""
    used = [one for one in view.offers if one.is_used_up and vehicles.of_offer(one) is not Vehicle.OBJECT_MODULE]
    return "\n".join(one.title_in(view.language) for one in used)


def _module(id: str, header: str, body: str, language: str) -> TextModule:
    return TextModule(
        id=id,
        header=LocalizedText(value=_cut(header, HEADER_CHARACTERS), language=language),
        body=LocalizedText(value=_cut(body, BODY_CHARACTERS), language=language),
    )


def _page_link(view: CardView, at: Place) -> Link:
    words = LocalizedText(value=text(view.language, "Your card page"), language=view.language)
    return Link(uri=f"{at.base_url}/c/{view.link}", description=words, id="page")


def _class_modules(programme: ProgrammeView) -> Iterator[TextModule]:
    for id, header, texts in (("about", "About", programme.design.about), ("terms", "Terms", programme.design.terms)):
        if texts:
            language = programme.language if programme.language in texts else next(iter(texts))
            cut = {one: _cut(words, BODY_CHARACTERS) for one, words in texts.items()}
            yield TextModule(id=id, header=everywhere(header), body=_by_language(cut[language], cut, language))


def _class_links(programme: ProgrammeView) -> Iterator[Link]:
    if programme.design.website:
        yield Link(uri=programme.design.website, description=everywhere("Website"), id="website")
    contact = programme.design.contact
    digits = contact.replace(" ", "").replace("-", "")
    if "@" in contact and " " not in contact:
        yield Link(uri=f"mailto:{contact}", description=everywhere("Contact"), id="contact")
    elif digits.removeprefix("+").isascii() and digits.removeprefix("+").isdigit():
        yield Link(uri=f"tel:{digits}", description=everywhere("Contact"), id="contact")


def _locations(programme: ProgrammeView) -> Iterator[MerchantLocation]:
    placed = [one for one in programme.stores if one.latitude is not None and one.longitude is not None]
    for store in placed[:LOCATIONS_MAX]:
        yield MerchantLocation(latitude=store.latitude or 0.0, longitude=store.longitude or 0.0)


def _plain(words: str, language: str) -> LocalizedText:
    return LocalizedText(value=words, language=language)


def _by_language(words: str, texts: Mapping[str, str], language: str) -> LocalizedText:
    """*words* in their own language, and what differs in the others."""
    others = {one: said for one, said in texts.items() if one != language and said}
    return LocalizedText(value=texts.get(language) or words, language=language, translations=others)


def _cut(words: str, characters: int) -> str:
    line = words.strip()
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"
