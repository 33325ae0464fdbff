import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.errors import InvalidPass
from passes.google import encode, schema
from passes.google.schema import Body, Use
from passes.google.schema_types import REVISION, TYPES
from tests.google_schema import DOCUMENT
from tests.passes.google import makers


def codes(type_name: str, body: Body, use: Use = Use.INSERT) -> list[str]:
    return [finding.code for finding in schema.problems(type_name, body, use)]


def loyalty_object(**changes: object) -> Body:
    return {"id": "338.card", "classId": "338.gold", "state": "ACTIVE"} | changes


def loyalty_class(**changes: object) -> Body:
    return encode.body(makers.loyalty_class()) | changes


def test_our_copy_of_the_types_is_the_vendors() -> None:
    ours = json.loads(files("passes.google").joinpath("schema.json").read_bytes())

    theirs = {name: spec.get("properties", {}) for name, spec in DOCUMENT["schemas"].items() if name in ours["types"]}
    assert ours["types"] == theirs
    assert DOCUMENT["api"]["revision"] == REVISION


def test_every_rule_names_a_member_that_exists() -> None:
    rules = json.loads(files("passes.google").joinpath("schema.json").read_bytes())["rules"]

    for table in ("required", "maxItems", "maxCharacters", "patterns", "ranges", "allowed", "deprecated"):
        for owner, members in rules[table].items():
            missing = set(members) - set(TYPES[owner].members)
            assert not missing, (table, owner, missing)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rewardsTier": "Gold"}, "unknown_member"),
        ({"groupingId": "a"}, "unknown_member"),
        ({"loyaltyPoints": {"balance": {"micros": "1"}}}, "unknown_member"),
        ({"textModulesData": [{"id": "a", "language": "de"}]}, "unknown_member"),
        ({"hasUsers": True}, "never_send"),
        ({"classReference": {}}, "never_send"),
        ({"version": "1"}, "never_send"),
        ({"locations": []}, "never_send"),
        ({"infoModuleData": {}}, "never_send"),
        ({"disableExpirationNotification": True}, "never_send"),
        ({"barcode": {"type": "QR_CODE", "kind": "x"}}, "never_send"),
        ({"state": "active"}, "enum"),
        ({"state": "LIVE"}, "enum"),
        ({"barcode": {"type": "qrCode"}}, "enum"),
        ({"state": 1}, "type"),
        ({"accountId": 12}, "type"),
        ({"textModulesData": {}}, "type"),
        ({"textModulesData": ["a"]}, "type"),
        ({"heroImage": "https://a.example"}, "type"),
        ({"loyaltyPoints": {"balance": {"int": 1.0}}}, "type"),
        ({"loyaltyPoints": {"balance": {"int": True}}}, "type"),
        ({"loyaltyPoints": {"balance": {"money": {"micros": 5, "currencyCode": "EUR"}}}}, "type"),
        ({"loyaltyPoints": {"balance": {"money": {"micros": "9223372036854775808", "currencyCode": "EUR"}}}}, "type"),
        ({"loyaltyPoints": {"balance": {"double": float("inf")}}}, "type"),
        ({"loyaltyPoints": {"label": "P"}}, "required"),
        ({"loyaltyPoints": {"balance": {"int": 1, "string": "1"}}}, "choice"),
        ({"loyaltyPoints": {"balance": {"money": {"micros": "5"}}}}, "required"),
        ({"heroImage": {"sourceUri": {"uri": "https://a.example/b"}, "privateImageId": "x"}}, "choice"),
        ({"accountName": None}, "null"),
        ({"linkedOfferIds": ["338.a", "338.a"]}, "duplicate"),
        ({"linkedOfferIds": ["gold"]}, "format"),
        ({"id": "gold"}, "format"),
        ({"messages": [{"id": "a", "header": "h", "body": "b", "messageType": "EXPIRATION_NOTIFICATION"}]}, "enum"),
        ({"validTimeInterval": {"start": {"date": "tomorrow"}}}, "format"),
    ],
)
def test_each_rule_finds_its_breach(changes: Body, code: str) -> None:
    assert code in codes("LoyaltyObject", loyalty_object(**changes))


@pytest.mark.parametrize("name", ["id", "issuerName", "programName", "programLogo", "reviewStatus"])
def test_a_class_without_what_it_needs_is_refused(name: str) -> None:
    body = loyalty_class()
    del body[name]

    assert codes("LoyaltyClass", body) == ["required"]


@pytest.mark.parametrize("status", ["APPROVED", "REJECTED", "approved", "underReview"])
def test_a_review_status_that_only_google_writes_is_refused(status: str) -> None:
    assert codes("LoyaltyClass", loyalty_class(reviewStatus=status)) == ["enum"]


def test_an_old_spelling_is_answered_with_todays() -> None:
    [finding] = schema.problems("LoyaltyObject", loyalty_object(state="active"))

    assert finding.mend == "write ACTIVE"


def test_a_patch_may_clear_but_a_class_patch_must_carry_its_review_status() -> None:
    assert codes("LoyaltyObject", {"accountName": None}, Use.PATCH) == []
    assert codes("LoyaltyClass", {"homepageUri": None}, Use.PATCH) == ["required"]
    assert codes("LoyaltyClass", {"homepageUri": None, "reviewStatus": "UNDER_REVIEW"}, Use.PATCH) == []


def test_a_balance_may_change_its_form_in_a_patch() -> None:
    balance = {"int": None, "money": {"micros": "1", "currencyCode": "EUR"}}

    assert codes("LoyaltyObject", {"loyaltyPoints": {"balance": balance}}, Use.PATCH) == []


def test_a_template_row_is_exactly_one_of_three_forms() -> None:
    item = {"item": {"firstValue": {"fields": [{"fieldPath": "class.id"}]}}}
    rows = {
        "cardRowTemplateInfos": [{"oneItem": item, "twoItems": {"startItem": item["item"], "endItem": item["item"]}}]
    }

    assert codes("LoyaltyClass", loyalty_class(classTemplateInfo={"cardTemplateOverride": rows})) == ["choice"]


def test_a_second_value_needs_a_first() -> None:
    item = {"item": {"secondValue": {"fields": [{"fieldPath": "class.id"}]}}}
    rows = {"cardRowTemplateInfos": [{"oneItem": item}]}

    assert codes("LoyaltyClass", loyalty_class(classTemplateInfo={"cardTemplateOverride": rows})) == ["needs"]


def test_check_raises_with_every_problem() -> None:
    with pytest.raises(InvalidPass) as refused:
        schema.check("LoyaltyObject", {"state": "LIVE", "x": 1})

    assert len(refused.value.problems) == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(
        {"id", "balance", "int", "uri", "type", "date", "start", "end", "sourceUri", "keys", "translatedValues"}
    )), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(sorted(TYPES["LoyaltyObject"].members)), JSON, max_size=6), st.sampled_from(Use))
def test_whatever_the_body_holds_the_judge_answers(body: Body, use: Use) -> None:
    for finding in schema.problems("LoyaltyObject", body, use):
        assert finding.code
        assert finding.path.startswith("loyaltyObject")
        assert finding.mend
