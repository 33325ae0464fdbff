from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.errors import InvalidPass
from passes.google import encode, schema
from passes.google.ids import Kind
from passes.google.model import (
    AppLink,
    Barcode,
    BarcodeType,
    Item,
    Link,
    LocalizedText,
    MerchantLocation,
    Money,
    Points,
    Resource,
    RotatingBarcode,
    RotatingKey,
    Template,
    TextModule,
    TimeInterval,
)
from tests.google_schema import assert_valid
from tests.passes.google import makers
from tests.passes.google.makers import loyalty_class, loyalty_object, offer_class, offer_object, rid, text

EVERY = [
    loyalty_class,
    loyalty_object,
    offer_class,
    offer_object,
    makers.full_loyalty_class,
    makers.full_loyalty_object,
    makers.full_offer_class,
    makers.full_offer_object,
]


@pytest.mark.parametrize("make", EVERY)
def test_every_body_is_valid_by_two_independent_judges(make: Callable[[], Resource]) -> None:
    resource = make()

    body = encode.body(resource)

    assert_valid(encode.kind_of(resource).schema, body)
    assert schema.problems(encode.kind_of(resource).schema, body) == []


def test_a_full_class_uses_every_member_that_the_model_has() -> None:
    resource = makers.full_loyalty_class()

    empty = [name for name, value in vars(resource).items() if value in (None, (), False)]

    assert empty == []


def test_a_class_always_asks_for_review_anew() -> None:
    assert encode.body(loyalty_class())["reviewStatus"] == "UNDER_REVIEW"
    assert encode.body(offer_class())["reviewStatus"] == "UNDER_REVIEW"


def test_names_are_sent_plain_and_in_each_language() -> None:
    body = encode.body(
        loyalty_class(programme_name=LocalizedText(value="Kulüp", language="tr", translations={"en": "Club"}))
    )

    assert body["programName"] == "Kulüp"
    assert body["localizedProgramName"] == {
        "defaultValue": {"language": "tr", "value": "Kulüp"},
        "translatedValues": [{"language": "en", "value": "Club"}],
    }


def test_the_order_of_translations_does_not_change_the_body() -> None:
    one = loyalty_class(issuer_name=LocalizedText(value="Bean", translations={"tr": "a", "id": "b"}))
    other = loyalty_class(issuer_name=LocalizedText(value="Bean", translations={"id": "b", "tr": "a"}))

    assert encode.body(one) == encode.body(other)


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        (120, {"int": 120}),
        (0, {"int": 0}),
        ("1 200", {"string": "1 200"}),
        (Money(minor_units=1250, currency="EUR"), {"money": {"micros": "12500000", "currencyCode": "EUR"}}),
        (Money(minor_units=980, currency="JPY"), {"money": {"micros": "980000000", "currencyCode": "JPY"}}),
        (Money(minor_units=12500, currency="KWD"), {"money": {"micros": "12500000", "currencyCode": "KWD"}}),
        (Money(minor_units=-1, currency="USD"), {"money": {"micros": "-10000", "currencyCode": "USD"}}),
    ],
)
def test_a_balance_is_exactly_one_of_its_three_forms(balance: int | str | Money, expected: object) -> None:
    points = encode.body(loyalty_object(points=Points(balance=balance)))["loyaltyPoints"]

    assert points == {"balance": expected}


@given(st.integers(-(10**14), 10**14))
def test_money_is_exact_at_any_size(minor_units: int) -> None:
    body = encode.body(loyalty_object(points=Points(balance=Money(minor_units=minor_units, currency="EUR"))))

    micros = body["loyaltyPoints"]["balance"]["money"]["micros"]  # type: ignore[index]
    assert int(micros) == minor_units * 10_000


@pytest.mark.parametrize("balance", [2**31, -(2**31) - 1, True, Money(minor_units=10**16, currency="EUR")])
def test_a_balance_that_does_not_fit_is_refused_and_not_bent(balance: int | Money) -> None:
    with pytest.raises(InvalidPass, match="balance"):
        encode.body(loyalty_object(points=Points(balance=balance)))


def test_times_keep_their_offset() -> None:
    body = encode.body(loyalty_object(valid=TimeInterval(start=makers.NOON, end=makers.EVENING)))

    assert body["validTimeInterval"] == {
        "start": {"date": "2026-11-20T12:00:00+00:00"},
        "end": {"date": "2026-11-20T18:00:00+00:00"},
    }


def test_a_message_says_whether_it_buzzes() -> None:
    silent = encode.message_body(makers.message())["message"]
    loud = encode.message_body(makers.message(notify=True))["message"]

    assert isinstance(silent, dict)
    assert isinstance(loud, dict)
    assert (silent["messageType"], loud["messageType"]) == ("TEXT", "TEXT_AND_NOTIFY")
    assert_valid("AddMessageRequest", encode.message_body(makers.message()))


LOCAL = datetime(2026, 11, 20, 12, 0)  # noqa: DTZ001  a naive time is the user's local time
WRONG: list[tuple[Resource, str]] = [
    (loyalty_class(background_color="blue"), "hexBackgroundColor"),
    (loyalty_class(country_code="tur"), "countryCode"),
    (loyalty_class(logo=replace(makers.picture(), uri="http://cards.example/a.png")), "https"),
    (loyalty_class(logo=replace(makers.picture(), uri="https://cards.example/a.png\n")), "https"),
    (loyalty_class(links=(Link(uri="javascript:alert(1)"),)), "mailto"),
    (loyalty_class(links=(Link(uri="bean.example"),)), "mailto"),
    (loyalty_class(callback_url="http://cards.example/cb"), "callbackOptions"),
    (loyalty_class(issuer_name=LocalizedText(value="")), "issuerName"),
    (loyalty_class(issuer_name=LocalizedText(value="Bean", language="pt_BR")), "hyphen"),
    (loyalty_class(issuer_name=LocalizedText(value="Bean", translations={"de": "a", "DE": "b"})), "more than once"),
    (loyalty_class(messages=tuple(makers.message(f"m{n}") for n in range(11))), "at most 10"),
    (loyalty_class(messages=(makers.message("m"), makers.message("m"))), "more than once"),
    (loyalty_class(merchant_locations=(MerchantLocation(latitude=1, longitude=1),) * 11), "at most 10"),
    (loyalty_class(merchant_locations=(MerchantLocation(latitude=91, longitude=0),)), "out of range"),
    (loyalty_class(merchant_locations=(MerchantLocation(latitude=float("nan"), longitude=0),)), "finite"),
    (loyalty_class(text_modules=(TextModule(id="a.b", header=text(), body=text()),)), "no dot"),
    (loyalty_class(template=Template(rows=((Item(paths=("class.id",)),) * 4,))), "one, two or three"),
    (loyalty_class(template=Template(rows=((Item(paths=("class.id",)),),) * 4)), "at most 3"),
    (loyalty_class(template=Template(above_barcode=(Item(paths=("class.id",)),) * 3)), "one or two"),
    (loyalty_class(app_link=AppLink()), "leads nowhere"),
    (loyalty_class(app_link=AppLink(uri="https://bean.example", text=text("x" * 31))), "shorten it to 30"),
    (offer_class(title=LocalizedText(value="\ud800")), "surrogate"),
    (loyalty_object(class_id=rid("gold", "999")), "another issuer"),
    (loyalty_object(linked_object_ids=(rid("card-1"),)), "itself"),
    (loyalty_object(linked_object_ids=tuple(rid(f"p{n}") for n in range(51))), "at most 50"),
    (loyalty_object(valid=TimeInterval(start=makers.EVENING, end=makers.NOON)), "ends before it starts"),
    (loyalty_object(valid=TimeInterval(start=LOCAL, end=makers.EVENING)), "both an offset"),
    (loyalty_object(barcode=Barcode(type=BarcodeType.EAN_13, value="4006381333932")), "check digit"),
    (loyalty_object(barcode=Barcode(type=BarcodeType.AZTEC, value="a", utf_8=True)), "QR codes only"),
    (loyalty_object(barcode=Barcode(type=BarcodeType.TEXT_ONLY, value="a", alternate_text="a")), "TEXT_ONLY"),
    (
        loyalty_object(rotating_barcode=RotatingBarcode(pattern="{totp_value_1}", keys=(RotatingKey(key_hex="00"),))),
        "fills in no",
    ),
    (
        loyalty_object(rotating_barcode=RotatingBarcode(pattern="fixed", keys=(RotatingKey(key_hex="00"),))),
        "never changes",
    ),
    (
        loyalty_object(rotating_barcode=RotatingBarcode(pattern="{totp_value_0}", keys=(RotatingKey(key_hex="xyz"),))),
        "hexadecimal",
    ),
    (
        loyalty_object(
            rotating_barcode=RotatingBarcode(
                type=BarcodeType.AZTEC, pattern="{totp_value_0}", keys=(RotatingKey(key_hex="00"),)
            )
        ),
        "PDF_417",
    ),
]


@pytest.mark.parametrize(("resource", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_google_would_refuse_is_refused_before_it_is_sent(resource: Resource, words: str) -> None:
    with pytest.raises(InvalidPass, match=words):
        encode.body(resource)


def test_all_problems_are_named_at_once() -> None:
    broken = loyalty_class(
        background_color="blue", country_code="tur", template=Template(rows=((),)), issuer_name=LocalizedText(value="")
    )

    with pytest.raises(InvalidPass) as refused:
        encode.body(broken)

    said = "\n".join(refused.value.problems)
    for words in ("hexBackgroundColor", "countryCode", "template.rows[0]", "issuerName is missing", "issuerName:"):
        assert words.split(" ")[0] in said
    assert len(refused.value.problems) >= 4


def test_an_article_number_with_the_right_check_digit_is_taken() -> None:
    body = encode.body(loyalty_object(barcode=Barcode(type=BarcodeType.EAN_13, value="4006381333931")))

    assert body["barcode"] == {"type": "EAN_13", "value": "4006381333931"}


def test_a_machine_of_ones_own_may_stand_in_for_google_but_is_remarked_upon() -> None:
    local = loyalty_class(callback_url="http://127.0.0.1:8080/google/callback")

    encode.body(local)

    assert [finding.code for finding in encode.lint(local)] == ["not_public"]


def test_nothing_is_remarked_upon_in_an_ordinary_card() -> None:
    assert encode.lint(loyalty_class()) == []
    assert encode.lint(loyalty_object()) == []


LONG: list[tuple[Resource, str, str]] = [
    (loyalty_class(programme_name=LocalizedText(value="x" * 21)), "text_cut", "programName"),
    (
        loyalty_class(tier=LocalizedText(value="Gold", translations={"tr": "Altın üye"})),
        "text_cut",
        "localizedRewardsTier",
    ),
    (loyalty_object(points=Points(balance=12345678)), "text_cut", "balance.int"),
    (loyalty_object(account_name="x" * 21), "text_cut", "accountName"),
    (
        loyalty_object(text_modules=tuple(TextModule(id=f"t{n}", header=text(), body=text()) for n in range(11))),
        "hidden_items",
        "textModulesData",
    ),
    (loyalty_object(linked_offer_ids=tuple(rid(f"c{n}") for n in range(6))), "hidden_items", "linkedOfferIds"),
    (loyalty_class(logo=replace(makers.picture(), uri="https://192.168.1.4/a.png")), "not_public", "sourceUri.uri"),
    (makers.full_loyalty_object(), "static_beside_rotating", "barcode"),
]


@pytest.mark.parametrize(("resource", "code", "place"), LONG, ids=[f"{code} {place}" for _, code, place in LONG])
def test_what_google_would_cut_or_hide_is_remarked_upon(resource: Resource, code: str, place: str) -> None:
    encode.body(resource)

    found = [finding for finding in encode.lint(resource) if finding.code == code]

    assert any(place in finding.path for finding in found)
    assert all(finding.mend for finding in found)


def test_each_value_knows_its_kind() -> None:
    kinds = [encode.kind_of(make()) for make in EVERY[:4]]

    assert kinds == [Kind.LOYALTY_CLASS, Kind.LOYALTY_OBJECT, Kind.OFFER_CLASS, Kind.OFFER_OBJECT]
