import copy

from hypothesis import given
from hypothesis import strategies as st

from passes.google import api, encode, schema
from passes.google.ids import Kind
from passes.google.model import Barcode, Money, Points, RotatingBarcode, RotatingKey, State
from passes.google.patch import alerts, difference, fingerprint, silenced
from passes.google.schema import Body, Use
from tests.google_schema import assert_valid_patch
from tests.passes.google import makers
from tests.passes.google.makers import loyalty_class, loyalty_object, rid, text

KIND = Kind.LOYALTY_OBJECT
CLASS = Kind.LOYALTY_CLASS


def merged(stored: Body, patch: Body) -> Body:
    """Google's rule: missing stays, null clears, lists are replaced, objects merge member by member."""
    result = copy.deepcopy(stored)
    for name, value in patch.items():
        before = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(before if isinstance(before, dict) else {}, value)
        else:
            result[name] = value
    return result


def replaced(stored: Body, patch: Body) -> Body:
    """The other reading: objects are replaced whole, as lists are."""
    result = {name: value for name, value in stored.items() if name not in patch}
    return result | {name: merged({}, {name: value})[name] for name, value in patch.items() if value is not None}


def test_a_new_balance_sends_the_balance_alone() -> None:
    sent = encode.body(loyalty_object())
    wanted = encode.body(loyalty_object(points=Points(label=text("Points"), balance=150)))

    patch = difference(KIND, sent, wanted)

    assert list(patch) == ["loyaltyPoints"]
    assert patch["loyaltyPoints"]["balance"] == {"int": 150}  # type: ignore[index]


def test_nothing_new_sends_nothing() -> None:
    body = encode.body(makers.full_loyalty_object())

    assert difference(KIND, body, body, notify=True, messages=True) == {}
    assert difference(CLASS, encode.body(loyalty_class()), encode.body(loyalty_class())) == {}


def test_a_balance_that_changes_its_form_clears_the_old_one() -> None:
    sent = encode.body(loyalty_object(points=Points(balance=3)))
    wanted = encode.body(loyalty_object(points=Points(balance=Money(minor_units=300, currency="EUR"))))

    patch = difference(KIND, sent, wanted)

    money = {"micros": "3000000", "currencyCode": "EUR"}
    assert patch == {"loyaltyPoints": {"balance": {"int": None, "money": money}}}


def test_switching_on_rotation_clears_the_static_code() -> None:
    rotating = RotatingBarcode(pattern="{totp_value_0}", keys=(RotatingKey(key_hex="00ff"),))
    sent = encode.body(loyalty_object(barcode=Barcode(value="A")))
    wanted = encode.body(loyalty_object(barcode=None, rotating_barcode=rotating))

    patch = difference(KIND, sent, wanted)

    assert patch["barcode"] is None
    assert "rotatingBarcode" in patch


def test_messages_are_left_alone_unless_asked() -> None:
    sent = encode.body(loyalty_object(messages=(makers.message("a"), makers.message("b"))))
    wanted = encode.body(loyalty_object(messages=(makers.message("b"),)))

    assert difference(KIND, sent, wanted) == {}
    assert fingerprint(sent) == fingerprint(wanted)
    assert [each["id"] for each in difference(KIND, sent, wanted, messages=True)["messages"]] == ["b"]  # type: ignore[attr-defined]
    assert fingerprint(sent, messages=True) != fingerprint(wanted, messages=True)


def test_a_class_patch_carries_its_review_status() -> None:
    patch = difference(CLASS, encode.body(loyalty_class()), encode.body(loyalty_class(background_color="#fff")))

    assert patch == {"hexBackgroundColor": "#fff", "reviewStatus": "UNDER_REVIEW"}


def test_a_change_of_balance_may_alert_and_can_be_silenced() -> None:
    sent = encode.body(loyalty_object())
    wanted = encode.body(loyalty_object(points=Points(label=text("Points"), balance=150)))

    patch = difference(KIND, sent, wanted, notify=True)

    assert alerts(patch)
    assert not alerts(silenced(patch))
    assert silenced(patch) == difference(KIND, sent, wanted)


def test_only_the_listed_members_alert() -> None:
    sent = encode.body(loyalty_object())
    relabelled = encode.body(loyalty_object(points=Points(label=text("Beans"), balance=120)))
    inactive = encode.body(loyalty_object(state=State.INACTIVE))

    assert not alerts(difference(KIND, sent, relabelled, notify=True))
    assert not alerts(difference(KIND, sent, inactive, notify=True))
    assert alerts(
        difference(
            CLASS, encode.body(loyalty_class(tier=text("A"))), encode.body(loyalty_class(tier=text("B"))), notify=True
        )
    )


def test_moving_to_another_tiers_class_is_one_member() -> None:
    patch = difference(KIND, encode.body(loyalty_object()), encode.body(loyalty_object(class_id=rid("platinum"))))

    assert patch == {"classId": str(rid("platinum"))}


def test_the_fingerprint_ignores_order_and_the_alert_but_nothing_else() -> None:
    body = encode.body(loyalty_object())
    turned = dict(reversed(body.items()))

    assert fingerprint(turned | {"notifyPreference": "NOTIFY_ON_UPDATE"}) == fingerprint(body)
    assert fingerprint(body | {"accountId": "other"}) != fingerprint(body)


OBJECTS = st.builds(
    lambda **changes: encode.body(loyalty_object(**changes)),
    points=st.none()
    | st.builds(
        Points,
        label=st.none() | st.sampled_from([text("Points"), text("Beans", de="Bohnen")]),
        balance=st.integers(-5, 5)
        | st.sampled_from(["1", "Gold"])
        | st.builds(Money, minor_units=st.integers(0, 3), currency=st.sampled_from(["EUR", "JPY"])),
    ),
    barcode=st.none()
    | st.builds(Barcode, value=st.sampled_from(["A", "B"]), alternate_text=st.sampled_from([None, "A"])),
    account_name=st.sampled_from([None, "Ayşe", "Budi"]),
    hero_image=st.sampled_from([None, makers.picture("a"), makers.picture("b")]),
    links=st.sampled_from([(), makers.shared()["links"]]),
    linked_offer_ids=st.lists(st.sampled_from([rid("a"), rid("b"), rid("c")]), unique=True).map(tuple),
    state=st.sampled_from(State),
    group=st.sampled_from([None, "g"]),
    valid=st.sampled_from([None, makers.message().shown]),
)


@given(OBJECTS, OBJECTS)
def test_whatever_was_sent_the_patch_makes_it_what_is_wanted(sent: Body, wanted: Body) -> None:
    patch = difference(KIND, sent, wanted)

    assert merged(sent, patch) == wanted
    assert replaced(sent, patch) == wanted
    assert (patch == {}) == (fingerprint(sent) == fingerprint(wanted))


@given(OBJECTS, OBJECTS)
def test_every_patch_is_valid_by_both_judges(sent: Body, wanted: Body) -> None:
    patch = difference(KIND, sent, wanted, notify=True)

    assert schema.problems("LoyaltyObject", patch, Use.PATCH) == []
    assert_valid_patch("LoyaltyObject", patch)
    assert api.patch(KIND, rid("card-1"), patch).body == patch
