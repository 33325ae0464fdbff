"""A card as an iPhone shows it: which value stands in which field, in the holder's language.

The pass is written in one language, the holder's, so it carries no translations: what is read on the lock screen and
what was chosen on the customer's page cannot differ. The keys of fields never change, because the phone finds old and
new values by them; a field whose news is worth a sound carries a change message, all others change in silence.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from app import money
from app.cards import codes
from app.cards.design import readable_on
from app.i18n import nearest, text
from app.wallets import notes
from app.wallets.notes import NEAR
from app.wallets.view import CardView, MessageView, OfferView
from passes.apple.model import Barcode, Colour, DataDetector, DateStyle, Field, Location, StoreCard

FRONT = (notes.STAMPS, NEAR)
ROW_FIELDS = 2
LOCATIONS_MAX = 10
LOGO_TEXT_CHARACTERS = 20
TIER_CHARACTERS = 22
NAME_CHARACTERS = 18
LABEL_CHARACTERS = 24
OFFER_CHARACTERS = 26
BACK_CHARACTERS = 1500
DEGREE_DIGITS = Decimal("0.000001")


def store_card(view: CardView, *, base_url: str, token: str | None) -> StoreCard:
    """What the card says now. *token* is what the phone asks for updates with; without it the card never does.

    An erased card names nobody: it says that it is no longer valid, and keeps what the law may want on its back.
    """
    programme = view.programme
    background, foreground, label = colours(view)
    erased = view.status == "erased"
    return StoreCard(
        pass_type_identifier=programme.pass_type_identifier,
        team_identifier=programme.team_identifier,
        serial_number=view.serial,
        organization_name=programme.organization_name,
        description=programme.description or programme.name,
        header=() if erased else (_balance(view),),
        primary=(_primary(view),),
        secondary=() if erased or view.offers else tuple(_front(view)),
        auxiliary=tuple(_auxiliary(view)),
        back=tuple(_back(view, base_url)),
        barcodes=() if erased else (_barcode(view),),
        web_service_url=f"{base_url}/apple" if token else None,
        authentication_token=token,
        voided=not view.is_valid,
        locations=_locations(view) if view.is_valid else (),
        logo_text=shortened(programme.name, LOGO_TEXT_CHARACTERS),
        background_colour=Colour.parse(background),
        foreground_colour=Colour.parse(foreground),
        label_colour=Colour.parse(label),
        sharing_prohibited=True,
    )


def colours(view: CardView) -> tuple[str, str, str]:
    """Background (the tier's, if it has one), text and labels, as `#rrggbb` that can be read on it."""
    design = view.programme.design
    own = view.tier.background_color if view.tier else None
    background = own or design.background_color
    return background, readable_on(background, design.foreground_color), readable_on(background, design.label_color)


def shortened(words: str, characters: int) -> str:
    """At most so many characters, cut after a whole word where one ends in the last third, with an ellipsis."""
    line = words.strip()
    if len(line) <= characters:
        return line
    # the ellipsis takes one place, so a space in the last place ends a word that still fits whole
    space = line.rfind(" ", 0, characters)
    cut = line[:space] if space >= characters * 2 // 3 else line[: characters - 1]
    return cut.rstrip(" ,.;:-–") + "…"


def points_label(view: CardView) -> str:
    """What the programme calls its points, in the holder's language."""
    return _by_language(view.programme.design.points_label, view) or text(view.language, "Points")


def _balance(view: CardView) -> Field:
    if view.kind == "gift":
        currency = view.programme.currency
        return Field(
            key="balance",
            label=text(view.language, "Balance"),
            value=Decimal(money.decimal_text(view.money_minor, currency)),
            currency_code=currency,
            change_message=text(view.language, "New balance: %@") if view.is_valid else None,
        )
    return Field(
        key="balance",
        label=points_label(view),
        value=view.balance,
        change_message=text(view.language, "New balance: %@") if view.is_valid else None,
    )


def _primary(view: CardView) -> Field:
    if not view.is_valid:
        return Field(key="tier", value=text(view.language, "No longer valid"))
    if view.kind == "gift":
        return Field(key="tier", value=text(view.language, "Gift card"))
    if view.tier:
        name = shortened(view.tier.name_in(view.language), TIER_CHARACTERS)
        return Field(key="tier", label=text(view.language, "Level"), value=name)
    if benefit := _by_language(view.programme.design.benefit, view):
        return Field(key="tier", value=shortened(benefit, TIER_CHARACTERS))
    if not view.short_name:
        return Field(key="tier", value=text(view.language, "Discount card"))
    return Field(
        key="tier", label=text(view.language, "Member"), value=shortened(view.short_name, name_characters(view))
    )


def _standing(view: CardView) -> Iterator[Field]:
    """The member, unless the name stands in the primary field already, and what the tier still needs.

    It shares one row with the offer on a store card; four fields there are cut to scraps, so a live offer has the row
    to itself and this moves to the back.
    """
    if view.short_name and not _is_named_first(view):
        name = shortened(view.short_name, name_characters(view))
        yield Field(key="member", label=text(view.language, "Member"), value=name)
    yield from (
        Field(
            key=note.key,
            label=shortened(note.label, LABEL_CHARACTERS),
            value=note.text,
            change_message="%@" if note.key == notes.STAMPS else None,
        )
        for note in view.notes
        if note.key in FRONT
    )


def _front(view: CardView) -> list[Field]:
    """What there is room for: of three fields in the row each would be cut. What expires has its place; then stamps,
    then what the level needs, then the member's name."""
    fields = list(_standing(view))
    room = ROW_FIELDS - len(list(_expiry(view)))
    kept = sorted((one.key for one in fields), key=lambda key: FRONT.index(key) if key in FRONT else len(FRONT))[:room]
    return [one for one in fields if one.key in kept]


def name_characters(view: CardView) -> int:
    """How many characters of the member's name there is room for."""
    return TIER_CHARACTERS if _is_named_first(view) else NAME_CHARACTERS


def _is_named_first(view: CardView) -> bool:
    """Whether the member's name stands in the primary field, for want of anything better."""
    return view.is_valid and not view.tier and not _by_language(view.programme.design.benefit, view)


def _auxiliary(view: CardView) -> Iterator[Field]:
    if not view.offers:
        yield from _expiry(view)
        return
    offer = _foremost(view)
    title = shortened(offer.title_in(view.language), OFFER_CHARACTERS)
    yield Field(key="offer", label=text(view.language, _cue(offer, view)), value=title)
    yield Field(
        key="offer-ends",
        label=text(view.language, "Until"),
        value=offer.shown_end,
        date_style=DateStyle.SHORT,
        time_style=DateStyle.SHORT,
        ignores_time_zone=True,
    )


def _foremost(view: CardView) -> OfferView:
    """The offer on the front: the latest announced, or the soonest to end, of those that can still be used."""
    usable = [one for one in view.offers if not one.is_used_up] or list(view.offers)
    return next((one for one in usable if view.latest is not None and one.id == view.latest.id), usable[0])


def _cue(offer: OfferView, view: CardView) -> str:
    """What stands over an offer; a changed label makes no sound."""
    if offer.is_used_up:
        return "Already used"
    return "Last day" if offer.is_last_day(view.as_of) else "Offer"


def _expiry(view: CardView) -> Iterator[Field]:
    """On the front where no offer stands; behind it is said in any case."""
    if view.expiring is not None and view.is_valid:
        last_on = notes.day(view.expiring.last_on, view.today, view.language)
        units = money.grouped(view.expiring.units, nearest(view.language))
        yield Field(key="expiring", label=text(view.language, "Expiring"), value=f"{units} · {last_on}")


def _back(view: CardView, base_url: str) -> Iterator[Field]:
    design, language = view.programme.design, view.language
    if view.kind == "gift" and view.status != "erased":
        yield _linked("page", text(language, "Your card, history and settings"), f"{base_url}/c/{view.link}")
    elif view.status != "erased":
        yield _latest(view)
        if view.message is not None:
            yield Field(key="message", label=text(language, "Message"), value=message_text(view.message))
        yield _paragraph(
            "offers", text(language, "Offers"), "\n\n".join(_offer_lines(view)) or text(language, "None now")
        )
        front = () if view.offers else {one.key for one in _front(view)}
        yield from (one for one in _standing(view) if one.key not in front)
        yield from (_paragraph(note.key, note.label, note.text) for note in view.notes if note.key not in FRONT)
        if rewards := "\n".join(_reward_lines(view)):
            yield _paragraph("rewards", text(language, "Rewards"), rewards)
        yield _linked("page", text(language, "Your card, history and settings"), f"{base_url}/c/{view.link}")
    for key, label, words in (
        ("about", text(language, "About"), _by_language(design.about, view)),
        ("terms", text(language, "Terms"), _by_language(design.terms, view)),
        ("contact", text(language, "Contact"), design.contact),
    ):
        if words:
            yield _paragraph(key, label, words)
    if design.website:
        yield _linked("website", text(language, "Website"), design.website)
    yield Field(
        key="as-of",
        label=text(language, "As of"),
        value=view.modified_at,
        date_style=DateStyle.MEDIUM,
        time_style=DateStyle.SHORT,
    )


def _latest(view: CardView) -> Field:
    """Always there, so that the phone has an old value to compare with: news sounds, its end does not."""
    language, label = view.language, text(view.language, "Latest")
    if view.told is not None:
        line = view.told.line
    elif view.latest is not None:
        end = view.latest.until_in(language)
        line = text(language, "%(title)s – until %(end)s", title=view.latest.title_in(language), end=end)
    else:
        return Field(key="latest", label=label, value=text(language, "No news at the moment"))
    return Field(key="latest", label=label, value=line, change_message="%@" if view.latest_is_news else None)


def message_text(message: MessageView) -> str:
    """A message in full."""
    return shortened("\n".join(part for part in (message.title, message.body) if part), BACK_CHARACTERS)


def offer_lines(offer: OfferView, language: str, now: datetime) -> list[str]:
    """What is said of an offer beside its title: used or on its last day, its words, what it gives, when it holds."""
    cue = "Already used" if offer.is_used_up else "Last day" if offer.is_last_day(now) else ""
    end = text(language, "Until %(end)s", end=offer.until_in(language))
    said = (
        text(language, cue) if cue else "",
        offer.body_in(language),
        offer.gives_in(language),
        offer.hours_in(language),
        end,
    )
    return [part for part in said if part]


def _offer_lines(view: CardView) -> Iterator[str]:
    """Those that can be used first."""
    for offer in sorted(view.offers, key=lambda one: one.is_used_up):
        yield "\n".join((offer.title_in(view.language), *offer_lines(offer, view.language, view.as_of)))


def _reward_lines(view: CardView) -> Iterator[str]:
    for reward in view.programme.rewards if view.is_valid else ():
        yield f"{reward.name_in(view.language)}: {reward.points} {points_label(view)}"


def _barcode(view: CardView) -> Barcode:
    return Barcode(message=codes.barcode_message(view.number), alt_text=codes.grouped(view.number))


def _locations(view: CardView) -> tuple[Location, ...]:
    return tuple(
        Location(latitude=_degrees(store.latitude), longitude=_degrees(store.longitude), relevant_text=store.name)
        for store in view.programme.stores
        if store.latitude is not None and store.longitude is not None
    )[:LOCATIONS_MAX]


def _degrees(value: float) -> Decimal:
    """To a millionth, about ten centimetres: a float's full digits are noise and Wallet's parser has fewer."""
    return Decimal(repr(value)).quantize(DEGREE_DIGITS)


def _paragraph(key: str, label: str, words: str) -> Field:
    return Field(key=key, label=label, value=shortened(words, BACK_CHARACTERS))


def _linked(key: str, label: str, address: str) -> Field:
    return Field(key=key, label=label, value=address, data_detectors=(DataDetector.LINK,))


def _by_language(texts: dict[str, str], view: CardView) -> str:
    for language in (view.language, nearest(view.language), view.programme.language, "en"):
        if found := texts.get(language):
            return found
    return next(iter(texts.values()), "")
