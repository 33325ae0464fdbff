from passes.google import encode
from passes.google.drift import drift, normalised
from passes.google.ids import Kind
from passes.google.model import Money, Points
from passes.google.patch import difference
from passes.google.schema import Body
from tests.passes.google import makers
from tests.passes.google.makers import loyalty_class, loyalty_object

KIND = Kind.LOYALTY_OBJECT


def as_google_answers(body: Body, **changes: object) -> Body:
    return (
        body | {"kind": "walletobjects#loyaltyObject", "version": "1", "hasUsers": True, "classReference": {}} | changes
    )


def test_an_answer_in_old_spelling_is_what_was_sent() -> None:
    wanted = encode.body(loyalty_object())
    barcode = {"kind": "walletobjects#barcode", "type": "qrCode", "value": "TES7F3K"}

    read = as_google_answers(wanted, state="active", barcode=barcode)

    assert drift(KIND, wanted, read) == []
    assert normalised(KIND, read)["barcode"] == {"type": "QR_CODE", "value": "TES7F3K"}
    assert "hasUsers" not in normalised(KIND, read)


def test_an_approved_class_is_what_was_wanted_and_a_rejected_one_is_not() -> None:
    wanted = encode.body(loyalty_class())

    assert drift(Kind.LOYALTY_CLASS, wanted, wanted | {"reviewStatus": "approved"}) == []
    [found] = drift(Kind.LOYALTY_CLASS, wanted, wanted | {"reviewStatus": "REJECTED"})
    assert (found.path, found.read) == ("reviewStatus", "REJECTED")


def test_another_balance_is_found() -> None:
    wanted = encode.body(loyalty_object())
    read = as_google_answers(encode.body(loyalty_object(points=Points(label=makers.text("Points"), balance=119))))

    [found] = drift(KIND, wanted, read)

    assert (found.path, found.wanted, found.read) == ("loyaltyPoints.balance.int", 120, 119)


def test_a_member_that_google_dropped_is_found() -> None:
    wanted = encode.body(makers.full_loyalty_object())
    read = {name: value for name, value in wanted.items() if name != "textModulesData"}

    assert [found.path for found in drift(KIND, wanted, read)] == ["textModulesData"]


def test_a_balance_with_two_forms_is_found() -> None:
    wanted = encode.body(loyalty_object(points=Points(balance=Money(minor_units=1, currency="EUR"))))
    balance = {"money": {"micros": "10000", "currencyCode": "EUR"}, "int": 1}

    found = drift(KIND, wanted, wanted | {"loyaltyPoints": {"balance": balance}})

    assert [each.path for each in found] == ["loyaltyPoints.balance.int"]


def test_what_a_patch_cleared_must_be_gone() -> None:
    sent, wanted = encode.body(makers.full_loyalty_object()), encode.body(loyalty_object())
    patch = difference(KIND, sent, wanted)

    assert drift(KIND, wanted, wanted, patch=patch) == []
    found = drift(KIND, wanted, wanted | {"accountName": "Ayşe Yılmaz"}, patch=patch)
    assert [each.path for each in found] == ["accountName"]


def test_the_same_moment_in_another_spelling_is_no_difference() -> None:
    wanted = encode.body(loyalty_object(valid=makers.message().shown))
    same = {"start": {"date": "2026-11-20T13:00:00+01:00"}, "end": {"date": "2026-11-20T18:00:00Z"}}
    other = {"start": {"date": "2026-11-20T12:00:00+01:00"}, "end": {"date": "2026-11-20T18:00:00Z"}}

    assert drift(KIND, wanted, wanted | {"validTimeInterval": same}) == []
    assert [each.path for each in drift(KIND, wanted, wanted | {"validTimeInterval": other})] == [
        "validTimeInterval.start.date"
    ]


def test_messages_and_the_alert_are_not_compared_unless_asked() -> None:
    wanted = encode.body(loyalty_object(messages=(makers.message(),))) | {"notifyPreference": "NOTIFY_ON_UPDATE"}
    read = encode.body(loyalty_object())

    assert drift(KIND, wanted, read) == []
    assert [each.path for each in drift(KIND, wanted, read, messages=True)] == ["messages"]


def test_a_true_that_became_a_one_is_found() -> None:
    wanted = encode.body(makers.full_offer_object())

    found = drift(Kind.OFFER_OBJECT, wanted, wanted | {"disableExpirationNotification": 1})

    assert [each.path for each in found] == ["disableExpirationNotification"]


def test_a_full_answer_has_no_difference_from_itself() -> None:
    for make in (
        makers.full_loyalty_class,
        makers.full_loyalty_object,
        makers.full_offer_class,
        makers.full_offer_object,
    ):
        resource = make()
        body = encode.body(resource)

        assert drift(encode.kind_of(resource), body, as_google_answers(body)) == []
