import json
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from passes.apple.encode import encode
from passes.apple.model import (
    ActionType,
    Barcode,
    BarcodeFormat,
    Beacon,
    Colour,
    Coupon,
    DataDetector,
    DateStyle,
    FeaturedAction,
    Field,
    Location,
    Money,
    Nfc,
    NumberStyle,
    RelevantDate,
    Semantics,
    StoreCard,
    TextAlignment,
    WiFi,
)
from passes.errors import InvalidPass
from tests.passes.apple.samples import card

GOLDEN = Path(__file__).parents[2] / "data" / "apple"


def field(**keys: Any) -> Field:
    return Field(**({"key": "x", "value": "v"} | keys))


def everything() -> StoreCard:
    """A card with every key that a store card can carry."""
    return card(
        primary=(field(key="tier", label="Tier", value="Gold"),),
        auxiliary=(
            field(key="money", value=Decimal("12.50"), currency_code="EUR"),
            field(
                key="ends",
                value=datetime(2027, 3, 28, 1, 30, tzinfo=timezone(timedelta(hours=3))),
                date_style=DateStyle.MEDIUM,
                time_style=DateStyle.NONE,
                is_relative=True,
                ignores_time_zone=True,
                text_alignment=TextAlignment.RIGHT,
            ),
            field(key="share", value=15, number_style=NumberStyle.PERCENT),
        ),
        back=(
            field(
                key="web",
                value="Our page",
                attributed_value='<a href="https://example.com/?a=1&amp;b=2">Our "page"</a>',
                data_detectors=(DataDetector.LINK, DataDetector.PHONE_NUMBER),
                semantics=Semantics(balance=Money(amount=Decimal("-0.10"), currency_code="TRY")),
            ),
        ),
        barcodes=(
            Barcode(message="4006381333931", format=BarcodeFormat.EAN13),
            Barcode(message="7K3M-9QXT", alt_text="7K3M 9QXT"),
        ),
        expires_at=datetime(2028, 1, 1, tzinfo=UTC),
        voided=True,
        locations=(
            Location(
                latitude=Decimal("41.0082"), longitude=Decimal("-28.9"), altitude_m=Decimal(3), relevant_text="Near you"
            ),
        ),
        max_distance_m=100,
        beacons=(Beacon(proximity_uuid=UUID(int=5), major=0, minor=65535, relevant_text="Inside"),),
        relevant_dates=(
            RelevantDate(starts_at=datetime(2027, 1, 1, tzinfo=UTC)),
            RelevantDate(starts_at=datetime(2027, 1, 1, 9, tzinfo=UTC), ends_at=datetime(2027, 1, 1, 10, tzinfo=UTC)),
        ),
        logo_text="Kahve",
        foreground_colour=Colour.parse("#fff"),
        label_colour=Colour.parse("#AABBCC"),
        strip_colour=Colour.parse("rgb(1, 2, 3)"),
        suppress_strip_shine=False,
        sharing_prohibited=True,
        associated_store_identifiers=(123456789,),
        app_launch_url="kahve:open",
        user_info={"tags": ["a", None, True, Decimal("1.10")]},
        semantics=Semantics(
            total_price=Money(amount=Decimal("3.00"), currency_code="IDR"),
            wifi_access=(WiFi(ssid="Kahve", password="içelim"),),
        ),
        nfc=Nfc(
            message="7K3M-9QXT",
            encryption_public_key="MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgACaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY=",
        ),
        featured_actions=(FeaturedAction(identifier="a", type=ActionType.SHOP, url="https://example.com"),),
    )


@pytest.mark.parametrize(("name", "made"), [("store-card", card()), ("everything", everything())])
def test_pass_json_equals_the_golden_file_byte_by_byte(name: str, made: StoreCard) -> None:
    assert encode(made) == (GOLDEN / f"{name}.json").read_bytes().rstrip(b"\n")


def test_encoding_twice_and_from_equal_parts_gives_equal_bytes() -> None:
    first = everything()

    assert encode(first) == encode(first) == encode(everything())


def test_a_coupon_differs_in_its_style_only() -> None:
    values = {name: getattr(card(), name) for name in (one.name for one in dataclass_fields(card()))}

    coupon = json.loads(encode(Coupon(**values)))
    store_card = json.loads(encode(card()))

    assert coupon.pop("coupon") == store_card.pop("storeCard")
    assert coupon == store_card


def test_what_is_not_set_is_not_written() -> None:
    bare = StoreCard(
        pass_type_identifier="pass.com.example",
        team_identifier="ABCDE12345",
        serial_number="1",
        organization_name="O",
        description="D",
    )

    assert set(json.loads(encode(bare))) == {
        "formatVersion",
        "passTypeIdentifier",
        "teamIdentifier",
        "serialNumber",
        "organizationName",
        "description",
        "storeCard",
    }


def test_the_old_key_repeats_the_first_classic_barcode() -> None:
    made = json.loads(encode(everything()))
    only_new = card(barcodes=(Barcode(message="12", format=BarcodeFormat.I2OF5),))

    assert made["barcode"] == made["barcodes"][1]
    assert "barcode" not in json.loads(encode(only_new))
    assert "barcode" not in json.loads(encode(card(legacy_barcode=False)))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12))
def test_decimals_are_written_digit_by_digit(amount: Decimal) -> None:
    made = json.loads(encode(card(header=(field(value=amount),))), parse_float=Decimal)

    assert str(made["storeCard"]["headerFields"][0]["value"]) == format(amount, "f")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_survives(text: str) -> None:
    made = json.loads(encode(card(header=(field(value=text, label=text),))))

    assert made["storeCard"]["headerFields"][0] == {"key": "x", "value": text, "label": text}


@settings(max_examples=60)
@given(st.datetimes(timezones=st.timezones() | st.just(UTC)))
def test_dates_are_the_same_moment_for_apple(moment: datetime) -> None:
    assume(1 < moment.year < 9998 and not (moment.utcoffset() or timedelta()) % timedelta(minutes=1))
    text = json.loads(encode(card(expires_at=moment)))["expirationDate"]

    assert datetime.fromisoformat(text) == moment.astimezone(UTC).replace(microsecond=0)
    assert len(text) in {20, 25}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"pass_type_identifier": "com.example"}, "pass_type_identifier: 'com.example'"),
    ({"team_identifier": "abc"}, "team_identifier: 'abc'"),
    ({"serial_number": "a/b"}, "serial_number: 'a/b'"),
    ({"serial_number": 7}, "serial_number: '7'"),
    ({"organization_name": " "}, "organization_name: must not be empty"),
    ({"description": None}, "description: needs text, not NoneType"),
    ({"description": "a\0b"}, "description: holds a NUL"),
    ({"description": "\ud83d"}, "description: holds half a surrogate pair"),
    ({"web_service_url": None}, "goes together with authentication_token"),
    ({"authentication_token": None}, "goes together with authentication_token"),
    ({"web_service_url": "http://cards.example.com"}, "must start with https"),
    ({"web_service_url": "https://cards.example.com/v1"}, "must not end with /v1"),
    ({"web_service_url": "https://cards.example.com/v1/"}, "must not end with /v1"),
    ({"web_service_url": "https://cards.example.com/"}, "must not end with a slash"),
    ({"web_service_url": "https://exa mple.com"}, "is no address"),
    ({"web_service_url": "https://user@example.com"}, "must not hold a query"),
    ({"authentication_token": "short"}, "needs 16 to 256 ASCII"),
    ({"authentication_token": "0123456789=abcdef"}, "without ="),
    ({"authentication_token": "0123456789ç abcdef"}, "needs 16 to 256 ASCII"),
    ({"expires_at": datetime(2027, 1, 1)}, "expires_at: is a date without a zone"),  # noqa: DTZ001 - the fault meant
    (
        {"expires_at": datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=93, seconds=20)))},
        "offset with seconds",
    ),
    ({"locations": (Location(latitude=Decimal(1), longitude=Decimal(1)),) * 11}, "locations: holds 11"),
    ({"locations": (Location(latitude=Decimal(95), longitude=Decimal(1)),)}, "latitude 95 is not between"),
    ({"locations": (Location(latitude=Decimal("NaN"), longitude=Decimal(1)),)}, "must be a finite number"),
    ({"locations": (Location(latitude=1.5, longitude=Decimal(1)),)}, "needs an int or a Decimal, not float"),  # type: ignore[arg-type]
    ({"beacons": (Beacon(proximity_uuid=UUID(int=1), major=65536),)}, "major 65536 is not between"),
    ({"beacons": (Beacon(proximity_uuid=UUID(int=1)),) * 11}, "beacons: holds 11"),
    ({"max_distance_m": -1}, "max_distance_m: must not be negative"),
    ({"background_colour": Colour(red=256, green=0, blue=0)}, "whole number from 0 to 255"),
    ({"app_launch_url": "x:y"}, "needs associated_store_identifiers"),
    ({"app_launch_url": "nothing", "associated_store_identifiers": (1,)}, "needs a scheme"),
    ({"associated_store_identifiers": ("1",)}, "needs an int or a Decimal, not str"),
    ({"associated_store_identifiers": (0,)}, "is a positive number"),
    ({"user_info": {"x": object()}}, "user_info.x: needs an int"),
    ({"user_info": {1: 1}}, "needs text, not int"),
    ({"semantics": Semantics(balance=Money(amount=Decimal(1), currency_code="eur"))}, "'eur' is not three capital"),
    ({"nfc": Nfc(message="é" * 33, encryption_public_key="AAAA")}, "longer than 64 bytes"),
    ({"nfc": Nfc(message="x", encryption_public_key="AAAA")}, "is not base64 of an X.509"),
    ({"header": (field(key=""),)}, "must not be empty"),
    ({"header": (field(), field())}, "the key is used twice"),
    ({"header": (field(),), "back": (field(),)}, "back[x]: the key is used twice"),
    ({"header": (field(value=None),)}, "header[x].value: needs an int or a Decimal, not NoneType"),
    ({"header": (field(value=True),)}, "not bool"),
    ({"header": (field(value=2**63),)}, "beyond 64 bits"),
    ({"header": (field(value=Decimal("1E+30")),)}, "round it first"),
    ({"header": (field(value=Decimal(7) / 3),)}, "round it first"),
    ({"header": (field(change_message="changed"),)}, "must contain %@"),
    ({"header": (field(value="1", currency_code="EUR"),)}, "currency_code needs a number"),
    ({"header": (field(value=1, currency_code="euro"),)}, "'euro' is not three capital letters"),
    ({"header": (field(value=1, currency_code="EUR", number_style=NumberStyle.DECIMAL),)}, "exclude each other"),
    ({"header": (field(number_style=NumberStyle.DECIMAL),)}, "number_style needs a number"),
    ({"header": (field(value=datetime(2027, 1, 1, tzinfo=UTC)),)}, "needs date_style and time_style"),
    ({"header": (field(date_style=DateStyle.SHORT),)}, "give both date_style and time_style"),
    ({"header": (field(is_relative=True),)}, "need a datetime as value"),
    ({"header": (field(attributed_value="<b>x</b>"),)}, "only <a href"),
    ({"header": (field(data_detectors=()),)}, "work in back fields only"),
    ({"primary": (field(text_alignment=TextAlignment.LEFT),)}, "not allowed in primary fields"),
    ({"header": tuple(field(key=str(i)) for i in range(4))}, "header: holds 4 fields"),
    ({"primary": (field(), field(key="y"))}, "primary: holds 2 fields"),
    ({"auxiliary": tuple(field(key=str(i)) for i in range(4))}, "share one row of 4"),
    ({"barcodes": (Barcode(message="€"),)}, "cannot be written in the charset 'iso-8859-1'; use utf-8"),
    ({"barcodes": (Barcode(message="x", encoding="base64"),)}, "cannot be written in the charset 'base64'"),
    ({"barcodes": (Barcode(message=""),)}, "the message is empty"),
    ({"barcodes": (Barcode(message="123", format=BarcodeFormat.I2OF5),)}, "an even count of digits"),
    ({"barcodes": (Barcode(message="ğ", format=BarcodeFormat.CODE128, encoding="utf-8"),)}, "only ASCII"),
    (
        {"barcodes": (Barcode(message="4006381333932", format=BarcodeFormat.EAN13),)},
        "the check digit of 4006381333932 should be 1",
    ),
    (
        {
            "relevant_dates": (
                RelevantDate(starts_at=datetime(2027, 1, 2, tzinfo=UTC), ends_at=datetime(2027, 1, 1, tzinfo=UTC)),
            )
        },
        "ends before it starts",
    ),
    (
        {"featured_actions": (FeaturedAction(identifier="a", type=ActionType.SHOP, url="https://x.example"),) * 3},
        "featured_actions: holds 3",
    ),
]


@pytest.mark.parametrize(("changes", "told"), WRONG, ids=[told[:50] for _, told in WRONG])
def test_what_wallet_would_refuse_is_refused_with_the_reason(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidPass) as caught:
        encode(card(**changes))

    assert any(told in problem for problem in caught.value.problems), caught.value.problems


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidPass) as caught:
        encode(card(serial_number="a/b", description="", expires_at="soon", header=(field(value=1.5),)))

    assert len(caught.value.problems) == 4


def test_a_fault_is_told_again_when_the_same_field_is_encoded_again() -> None:
    wrong = field(value=1.5)

    for _ in range(2):
        with pytest.raises(InvalidPass, match="not float"):
            encode(card(header=(wrong,)))


def test_remembered_text_does_not_change_what_a_field_is() -> None:
    used, fresh = field(label="L"), field(label="L")

    encode(card(header=(used,)))

    assert used == fresh
    assert hash(used) == hash(fresh)
    assert repr(used) == repr(fresh)
    assert replace(used, value="w") == field(label="L", value="w")
    assert b'"value":"w"' in encode(card(header=(replace(used, value="w"),)))


def test_http_is_accepted_for_this_machine_alone() -> None:
    assert encode(card(web_service_url="http://127.0.0.1:8080/apple"))


@pytest.mark.parametrize(
    "text", ["#12345", "red", "rgb(256,0,0)", "rgba(1,2,3,0)", "rgb(1,2)", "#gggggg", "", "#１２３"]
)
def test_a_text_that_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(InvalidPass, match="is not a colour"):
        Colour.parse(text)
