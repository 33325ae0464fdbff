"""What a card says on an iPhone, in our spelling: plain values without behaviour on the wire.

A value here may still be one that Wallet would refuse (a field without a key, a date without a zone).
`encode` is the judge, and lists every fault at once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import ClassVar
from uuid import UUID

from passes.errors import InvalidPass

Value = str | int | Decimal | datetime


class NumberStyle(Enum):
    """How the phone writes a number."""

    DECIMAL = "PKNumberStyleDecimal"
    PERCENT = "PKNumberStylePercent"
    SCIENTIFIC = "PKNumberStyleScientific"
    SPELL_OUT = "PKNumberStyleSpellOut"


class DateStyle(Enum):
    """How the phone writes a date, or a time of day."""

    NONE = "PKDateStyleNone"
    SHORT = "PKDateStyleShort"
    MEDIUM = "PKDateStyleMedium"
    LONG = "PKDateStyleLong"
    FULL = "PKDateStyleFull"


class TextAlignment(Enum):
    """Where text stands in its field; not for primary and back fields."""

    LEFT = "PKTextAlignmentLeft"
    CENTER = "PKTextAlignmentCenter"
    RIGHT = "PKTextAlignmentRight"
    NATURAL = "PKTextAlignmentNatural"


class DataDetector(Enum):
    """What the phone turns into links on the back of the pass."""

    PHONE_NUMBER = "PKDataDetectorTypePhoneNumber"
    LINK = "PKDataDetectorTypeLink"
    ADDRESS = "PKDataDetectorTypeAddress"
    CALENDAR_EVENT = "PKDataDetectorTypeCalendarEvent"


class BarcodeFormat(Enum):
    """The symbols Wallet can draw; the last four need iOS 27, Code 128 is not drawn on a watch."""

    QR = "PKBarcodeFormatQR"
    PDF417 = "PKBarcodeFormatPDF417"
    AZTEC = "PKBarcodeFormatAztec"
    CODE128 = "PKBarcodeFormatCode128"
    CODE39 = "PKBarcodeFormatCode39"
    CODABAR = "PKBarcodeFormatCodabar"
    EAN13 = "PKBarcodeFormatEAN13"
    I2OF5 = "PKBarcodeFormatI2of5"


class ActionType(Enum):
    """What a featured action (iOS 27) offers."""

    ADD_TO_BALANCE = "addToBalance"
    ORDER = "order"
    SHOP = "shop"
    MEMBERSHIP_BENEFITS = "membershipBenefits"
    BOOK_APPOINTMENT = "bookAppointment"
    BOOK_CAR = "bookCar"
    BOOK_FLIGHT = "bookFlight"
    BOOK_STAY = "bookStay"
    VIEW_OFFERS_REWARDS = "viewOffersRewards"
    CALL = "call"
    PLACE = "place"


@dataclass(frozen=True, kw_only=True)
class Colour:
    """An opaque colour, each part from 0 to 255."""

    red: int
    green: int
    blue: int

    @classmethod
    def parse(cls, text: str) -> "Colour":
        """Read `#RRGGBB`, `#RGB` or `rgb(r, g, b)`.

        Raises: InvalidPass, for anything else.
        """
        if match := re.fullmatch(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})", text, re.ASCII):
            digits = match[1] if len(match[1]) == 6 else "".join(digit * 2 for digit in match[1])
            red, green, blue = bytes.fromhex(digits)
            return cls(red=red, green=green, blue=blue)
        match = re.fullmatch(r"rgb\( *(\d{1,3}) *, *(\d{1,3}) *, *(\d{1,3}) *\)", text, re.ASCII)
        if match and all(int(part) <= 255 for part in match.groups()):
            red, green, blue = (int(part) for part in match.groups())
            return cls(red=red, green=green, blue=blue)
        raise InvalidPass(f"{text[:40]!r} is not a colour; write it as #1A2B3C or rgb(26, 43, 60)")

    @property
    def css(self) -> str:
        return f"rgb({self.red},{self.green},{self.blue})"


@dataclass(frozen=True, kw_only=True)
class Money:
    """An amount in major units (12.50, not 1250) with its ISO 4217 currency."""

    amount: Decimal
    currency_code: str


@dataclass(frozen=True, kw_only=True)
class WiFi:
    """A network that the phone offers to join."""

    ssid: str
    password: str


@dataclass(frozen=True, kw_only=True)
class Semantics:
    """Facts for the machine beside the text for people."""

    balance: Money | None = None
    total_price: Money | None = None
    wifi_access: tuple[WiFi, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Field:
    """One labelled value on the pass.

    The phone finds old and new value by `key`; where the value differs and `change_message` is set, it alerts.
    """

    key: str
    value: Value
    label: str | None = None
    attributed_value: Value | None = None
    change_message: str | None = None
    currency_code: str | None = None
    number_style: NumberStyle | None = None
    date_style: DateStyle | None = None
    time_style: DateStyle | None = None
    is_relative: bool = False
    ignores_time_zone: bool = False
    data_detectors: tuple[DataDetector, ...] | None = None
    text_alignment: TextAlignment | None = None
    semantics: Semantics | None = None


@dataclass(frozen=True, kw_only=True)
class Barcode:
    """What the till scans; `encoding` is the IANA name of the charset of `message`."""

    message: str
    format: BarcodeFormat = BarcodeFormat.QR
    encoding: str = "iso-8859-1"
    alt_text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Location:
    """A place where the pass shows on the lock screen; degrees, and metres above the sea."""

    latitude: Decimal
    longitude: Decimal
    altitude_m: Decimal | None = None
    relevant_text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Beacon:
    """A Bluetooth beacon near which the pass shows on the lock screen."""

    proximity_uuid: UUID
    major: int | None = None
    minor: int | None = None
    relevant_text: str | None = None


@dataclass(frozen=True, kw_only=True)
class RelevantDate:
    """A moment, or (with `ends_at`) an interval, at which the pass matters; iOS 18 and newer."""

    starts_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Nfc:
    """What the phone says to a contactless reader; needs a certificate that Apple grants apart.

    `encryption_public_key` is base64 of an X.509 SubjectPublicKeyInfo with a P-256 key.
    """

    message: str
    encryption_public_key: str
    requires_authentication: bool = False


@dataclass(frozen=True, kw_only=True)
class FeaturedAction:
    """A button on the pass (iOS 27); at most two."""

    identifier: str
    type: ActionType
    url: str


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What the two styles share; use StoreCard or Coupon.

    `legacy_barcode` repeats the first classic symbol under the old key that some Android readers know only.
    `user_info` is any JSON object; everybody who holds the file can read it.
    """

    style: ClassVar[str]

    pass_type_identifier: str
    team_identifier: str
    serial_number: str
    organization_name: str
    description: str

    header: tuple[Field, ...] = ()
    primary: tuple[Field, ...] = ()
    secondary: tuple[Field, ...] = ()
    auxiliary: tuple[Field, ...] = ()
    back: tuple[Field, ...] = ()

    barcodes: tuple[Barcode, ...] = ()
    legacy_barcode: bool = True
    web_service_url: str | None = None
    authentication_token: str | None = None
    expires_at: datetime | None = None
    voided: bool = False
    locations: tuple[Location, ...] = ()
    max_distance_m: int | Decimal | None = None
    beacons: tuple[Beacon, ...] = ()
    relevant_dates: tuple[RelevantDate, ...] = ()

    logo_text: str | None = None
    background_colour: Colour | None = None
    foreground_colour: Colour | None = None
    label_colour: Colour | None = None
    strip_colour: Colour | None = None
    suppress_strip_shine: bool | None = None

    sharing_prohibited: bool = False
    associated_store_identifiers: tuple[int, ...] = ()
    app_launch_url: str | None = None
    user_info: Mapping[str, object] | None = None
    semantics: Semantics | None = None
    nfc: Nfc | None = None
    featured_actions: tuple[FeaturedAction, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StoreCard(Pass):
    """A loyalty, points or stored value card."""

    style: ClassVar[str] = "storeCard"


@dataclass(frozen=True, kw_only=True)
class Coupon(Pass):
    """A voucher for one use."""

    style: ClassVar[str] = "coupon"
