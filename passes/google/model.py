"""Classes and objects of Google Wallet as values, in our spelling.

A class holds what all cards of a kind share, an object holds one member's card. What is wrong with a value is found
when it is encoded, all of it at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum

from passes.google.ids import ResourceId


class State(Enum):
    """Every state but ACTIVE moves the card to the expired section; nothing takes it off the phone."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"
    INACTIVE = "INACTIVE"


class BarcodeType(Enum):
    AZTEC = "AZTEC"
    CODE_39 = "CODE_39"
    CODE_128 = "CODE_128"
    CODABAR = "CODABAR"
    DATA_MATRIX = "DATA_MATRIX"
    EAN_8 = "EAN_8"
    EAN_13 = "EAN_13"
    ITF_14 = "ITF_14"
    PDF_417 = "PDF_417"
    QR_CODE = "QR_CODE"
    UPC_A = "UPC_A"
    TEXT_ONLY = "TEXT_ONLY"


class Holders(Enum):
    """Who may save an object: anybody with the link, or only the first user."""

    MANY = "MULTIPLE_HOLDERS"
    ONE_USER = "ONE_USER_ALL_DEVICES"
    ONE_DEVICE = "ONE_USER_ONE_DEVICE"


class RedemptionChannel(Enum):
    IN_STORE = "INSTORE"
    ONLINE = "ONLINE"
    BOTH = "BOTH"
    TEMPORARY_PRICE_REDUCTION = "TEMPORARY_PRICE_REDUCTION"


@dataclass(frozen=True, kw_only=True)
class LocalizedText:
    """A text in its own language, and translations by BCP 47 tag ("de", "pt-BR")."""

    value: str
    language: str = "en"
    translations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Image:
    """A picture that Google's servers fetch: public https, no sign-in, an address that never dies."""

    uri: str
    description: LocalizedText | None = None


@dataclass(frozen=True, kw_only=True)
class TimeInterval:
    """Both ends aware, or both naive (then the user's local time)."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Money:
    """Minor units of an ISO 4217 currency: 12.50 EUR is 1250, 980 JPY is 980."""

    minor_units: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class Points:
    """A balance with its label. An int must fit in 32 bits; send a larger one as text."""

    label: LocalizedText | None = None
    balance: int | str | Money


@dataclass(frozen=True, kw_only=True)
class Barcode:
    """A missing value makes Google show the account id instead."""

    type: BarcodeType = BarcodeType.QR_CODE
    value: str
    alternate_text: str | None = None
    utf_8: bool = False


@dataclass(frozen=True, kw_only=True)
class RotatingKey:
    """A secret in hexadecimal, kept for the life of the card, and how many digits it yields."""

    key_hex: str = field(repr=False)
    digits: int = 8


@dataclass(frozen=True, kw_only=True)
class RotatingBarcode:
    """A code that changes every period.

    The pattern may hold {totp_value_N} for the Nth key, {totp_timestamp_seconds}, {totp_timestamp_millis}.
    """

    type: BarcodeType = BarcodeType.QR_CODE
    pattern: str
    keys: tuple[RotatingKey, ...]
    period_ms: int = 30_000
    alternate_text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Message:
    """A text on the card; with `notify` the phone announces that there is one (in Google's words).

    The id is ours and Google keeps it: derive it from the campaign, never from the attempt.
    """

    id: str
    header: LocalizedText
    body: LocalizedText
    shown: TimeInterval | None = None
    notify: bool = False


@dataclass(frozen=True, kw_only=True)
class TextModule:
    """A header and a text; the id is used in field paths, so it holds no dot."""

    id: str
    header: LocalizedText
    body: LocalizedText


@dataclass(frozen=True, kw_only=True)
class ImageModule:
    id: str
    image: Image


@dataclass(frozen=True, kw_only=True)
class Link:
    """https:, tel:, mailto: or geo:, with the words to tap on."""

    uri: str
    description: LocalizedText | None = None
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class MerchantLocation:
    """Degrees. At most ten to a class and ten to an object."""

    latitude: Decimal | float
    longitude: Decimal | float


@dataclass(frozen=True, kw_only=True)
class ValueAddedModule:
    """A promotion that Google shows and hides by itself, without a call and without an alert."""

    header: LocalizedText
    body: LocalizedText | None = None
    uri: str
    image: Image | None = None
    shown: TimeInterval | None = None
    sort_index: int | None = None


@dataclass(frozen=True, kw_only=True)
class AppLink:
    """One button on the front: a web address or an Android package."""

    uri: str | None = None
    package_name: str | None = None
    text: LocalizedText | None = None


@dataclass(frozen=True, kw_only=True)
class Item:
    """One place on the card. The first non-empty path is shown; `second` follows it after a stroke.

    Paths are Google's: "object.loyaltyPoints.balance", "object.textModulesData['visits']".
    """

    paths: tuple[str, ...]
    second: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Template:
    """Where things stand: up to three rows of one to three items on the front, the back in order, the list."""

    rows: tuple[tuple[Item, ...], ...] = ()
    details: tuple[Item, ...] = ()
    list_first: Item | None = None
    list_second: Item | None = None
    above_barcode: tuple[Item, ...] = ()
    below_barcode: Item | None = None


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all four resources may carry."""

    id: ResourceId
    hero_image: Image | None = None
    text_modules: tuple[TextModule, ...] = ()
    image_modules: tuple[ImageModule, ...] = ()
    links: tuple[Link, ...] = ()
    messages: tuple[Message, ...] = ()
    merchant_locations: tuple[MerchantLocation, ...] = ()
    value_added_modules: tuple[ValueAddedModule, ...] = ()
    app_link: AppLink | None = None


@dataclass(frozen=True, kw_only=True)
class ClassShared(Shared):
    """What both kinds of class may carry. An `issuer_name` is the merchant's name."""

    issuer_name: LocalizedText
    background_color: str | None = None
    country_code: str | None = None
    callback_url: str | None = None
    homepage: Link | None = None
    holders: Holders | None = None
    unlock_to_view: bool = False
    shimmer: bool = False
    template: Template | None = None


@dataclass(frozen=True, kw_only=True)
class LoyaltyClass(ClassShared):
    """One programme and tier: the tier and the colour live here, not on the object."""

    programme_name: LocalizedText
    logo: Image
    wide_logo: Image | None = None
    account_name_label: LocalizedText | None = None
    account_id_label: LocalizedText | None = None
    tier: LocalizedText | None = None
    tier_label: LocalizedText | None = None
    second_tier: LocalizedText | None = None
    second_tier_label: LocalizedText | None = None


@dataclass(frozen=True, kw_only=True)
class OfferClass(ClassShared):
    title: LocalizedText
    short_title: LocalizedText | None = None
    provider: LocalizedText
    channel: RedemptionChannel = RedemptionChannel.IN_STORE
    details: LocalizedText | None = None
    fine_print: LocalizedText | None = None
    title_image: Image | None = None
    wide_title_image: Image | None = None
    help: Link | None = None


@dataclass(frozen=True, kw_only=True)
class ObjectShared(Shared):
    """What both kinds of object may carry."""

    class_id: ResourceId
    state: State = State.ACTIVE
    barcode: Barcode | None = None
    rotating_barcode: RotatingBarcode | None = None
    valid: TimeInterval | None = None
    group: str | None = None
    group_index: int | None = None
    linked_object_ids: tuple[ResourceId, ...] = ()
    screenshots_allowed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class LoyaltyObject(ObjectShared):
    account_id: str | None = None
    account_name: str | None = None
    points: Points | None = None
    second_points: Points | None = None
    linked_offer_ids: tuple[ResourceId, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OfferObject(ObjectShared):
    announce_expiry: bool = True


Resource = LoyaltyClass | LoyaltyObject | OfferClass | OfferObject
