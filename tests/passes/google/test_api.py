import json

import pytest

from passes.errors import InvalidPass
from passes.google import api, encode
from passes.google.ids import Kind
from tests.google_schema import DOCUMENT, assert_valid
from tests.passes.google import makers
from tests.passes.google.makers import ISSUER, loyalty_class, loyalty_object, offer_class, offer_object, rid

MAKERS = {
    Kind.LOYALTY_CLASS: loyalty_class,
    Kind.LOYALTY_OBJECT: loyalty_object,
    Kind.OFFER_CLASS: offer_class,
    Kind.OFFER_OBJECT: offer_object,
}
PATCH = {"reviewStatus": "UNDER_REVIEW"}


def every_request(kind: Kind) -> dict[str, api.Request]:
    body = encode.body(MAKERS[kind]())
    listing = (
        api.list_classes(kind, ISSUER, token="t") if kind.is_class else api.list_objects(kind, rid("gold"), token="t")
    )
    return {
        "insert": api.insert(kind, body),
        "get": api.get(kind, rid("x")),
        "list": listing,
        "patch": api.patch(kind, rid("x"), PATCH if kind.is_class else {"state": "INACTIVE"}),
        "update": api.update(kind, rid("x"), body),
        "addmessage": api.add_message(kind, rid("x"), encode.message_body(makers.message())),
    }


@pytest.mark.parametrize("kind", Kind)
def test_every_call_is_one_that_the_discovery_document_names(kind: Kind) -> None:
    methods = DOCUMENT["methods"][kind.value.lower()]

    for name, request in every_request(kind).items():
        method = methods[name]
        path = "/" + method["path"].replace("{resourceId}", str(rid("x")))
        known = {key for key, value in method["parameters"].items() if value["location"] == "query"}
        assert (request.method, request.path) == (method["httpMethod"], path), name
        assert {key for key, _ in request.query} <= known, name
        assert request.kind is kind
        if "request" in method:
            assert_valid(method["request"], request.body)
        else:
            assert request.content is None


def test_the_calls_without_a_kind_are_named_too() -> None:
    methods = DOCUMENT["methods"]
    requests = {
        ("issuer", "get"): api.get_issuer(ISSUER),
        ("jwt", "insert"): api.insert_jwt("a.b.c"),
        ("jwt", "validate"): api.validate_payload({"loyaltyObjects": [encode.body(loyalty_object())]}),
    }

    for (owner, name), request in requests.items():
        method = methods[owner][name]
        path = "/" + method["path"].replace("{resourceId}", ISSUER)
        assert (request.method, request.path) == (method["httpMethod"], path)
        if "request" in method:
            assert_valid(method["request"], request.body)


def test_only_a_message_must_not_be_repeated_blindly() -> None:
    for kind in Kind:
        repeatable = {name: request.repeatable for name, request in every_request(kind).items()}
        assert repeatable.pop("addmessage") is False
        assert all(repeatable.values())


@pytest.mark.parametrize("kind", Kind)
def test_nothing_invalid_becomes_a_request(kind: Kind) -> None:
    for make in (api.update, api.patch, api.add_message):
        with pytest.raises(InvalidPass, match="nonsense"):
            make(kind, rid("x"), {"nonsense": 1})
    with pytest.raises(InvalidPass, match="nonsense"):
        api.insert(kind, {"nonsense": 1})


def test_a_list_always_limits_its_page() -> None:
    assert dict(api.list_objects(Kind.LOYALTY_OBJECT, rid("gold"), fields=api.HOLDER_FIELDS).query) == {
        "classId": str(rid("gold")),
        "maxResults": "100",
        "fields": "resources(id,hasUsers),pagination",
    }


def test_the_body_travels_as_utf_8_json() -> None:
    request = api.patch(Kind.LOYALTY_OBJECT, rid("x"), {"accountName": "Ayşe"})

    assert request.content == '{"accountName":"Ayşe"}'.encode()
    assert json.loads(request.content or b"") == request.body


def test_an_alert_is_known_beforehand_and_can_be_taken_out() -> None:
    patch = api.patch(
        Kind.LOYALTY_OBJECT,
        rid("x"),
        {"loyaltyPoints": {"balance": {"int": 1}}, "notifyPreference": "NOTIFY_ON_UPDATE"},
    )
    message = api.add_message(Kind.LOYALTY_OBJECT, rid("x"), encode.message_body(makers.message(notify=True)))

    assert patch.alerts
    assert message.alerts
    assert api.silently(patch).body == {"loyaltyPoints": {"balance": {"int": 1}}}
    assert api.silently(message).body == encode.message_body(makers.message(notify=False))
    assert not api.silently(message).alerts
    assert message.body == encode.message_body(makers.message(notify=True))
