"""The Google stand-in's REST API, asked through Google's own client for signing in."""

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests

from app.sandbox.google.faults import Fault
from app.sandbox.sandbox import ISSUER_ID, Sandbox
from tests.app.sandbox.google_client import (
    CLASS_ID,
    OBJECT_ID,
    GoogleClient,
    loyalty_class,
    loyalty_object,
    offer_class,
    thin_jwt,
)

DAY_S = 24 * 3600


@pytest.fixture
def google(sandbox: Sandbox) -> Iterator[GoogleClient]:
    client = GoogleClient(sandbox)
    yield client
    client.close()


@pytest.fixture
def card(google: GoogleClient) -> str:
    google.made("POST", "loyaltyClass", loyalty_class())
    google.made("POST", "loyaltyObject", loyalty_object())
    return f"loyaltyObject/{OBJECT_ID}"


def error_of(answer: requests.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    assert error["errors"][0]["message"] == error["message"]
    return answer.status_code, error["errors"][0]["reason"]


def test_a_class_under_review_is_approved_at_once_and_an_object_answers_with_it(google: GoogleClient) -> None:
    assert google.made("POST", "loyaltyClass", loyalty_class())["reviewStatus"] == "APPROVED"
    made = google.made("POST", "loyaltyObject", loyalty_object())

    assert made["classReference"]["programName"] == "Beans"
    assert made["hasUsers"] is False
    assert google.made("GET", f"loyaltyObject/{OBJECT_ID}") == made


def test_the_same_id_twice_is_a_conflict_also_across_kinds(google: GoogleClient, card: str) -> None:
    assert error_of(google.call("POST", "loyaltyObject", loyalty_object())) == (409, "alreadyExists")
    google.made("POST", "offerClass", offer_class())
    offer = {"id": OBJECT_ID, "classId": f"{ISSUER_ID}.offers", "state": "ACTIVE"}
    assert error_of(google.call("POST", "offerObject", offer)) == (409, "alreadyExists")


def test_what_does_not_exist_is_not_found(google: GoogleClient) -> None:
    assert google.call("GET", f"loyaltyObject/{OBJECT_ID}").status_code == 404
    assert google.call("PATCH", f"loyaltyObject/{OBJECT_ID}", {"state": "INACTIVE"}).status_code == 404
    answer = google.call("POST", "loyaltyObject", loyalty_object())
    assert error_of(answer) == (404, "classNotFound")
    assert google.call("DELETE", f"loyaltyObject/{OBJECT_ID}").status_code == 404
    assert google.call("GET", "flightClass/1.a").status_code == 404


def test_another_issuers_ids_are_not_ours(google: GoogleClient) -> None:
    strange = "3388000000099999999.cards"

    assert error_of(google.call("POST", "loyaltyClass", loyalty_class(id=strange))) == (403, "permissionDenied")
    assert error_of(google.call("GET", f"loyaltyClass/{strange}")) == (403, "permissionDenied")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"loyaltyPoint": {}}, "loyaltyPoint"),
        ({"textModulesData": [{"id": "a", "language": "tr"}]}, "language"),
        ({"loyaltyPoints": {"balance": {"micros": "1"}}}, "micros"),
        ({"loyaltyPoints": {"balance": {"int": 2**31}}}, "loyaltyPoints.balance.int"),
        ({"loyaltyPoints": {"balance": {"int": "10"}}}, "loyaltyPoints.balance.int"),
        ({"loyaltyPoints": {"balance": {"int": 1, "string": "1"}}}, "Exactly one"),
        ({"loyaltyPoints": {"label": "Points"}}, "loyaltyPoints.balance"),
        ({"loyaltyPoints": {"balance": {"money": {"micros": 5, "currencyCode": "EUR"}}}}, "micros"),
        ({"loyaltyPoints": {"balance": {"money": {"micros": "5"}}}}, "currencyCode"),
        ({"state": "active"}, "deprecated"),
        ({"state": "GONE"}, "state"),
        ({"hasUsers": True}, "hasUsers"),
        ({"locations": []}, "locations"),
        ({"barcode": {"type": "AZTEC", "value": "1", "renderEncoding": "UTF_8"}}, "renderEncoding"),
        ({"heroImage": {"sourceUri": {"uri": "http://example.com/a.png"}}}, "https"),
        ({"heroImage": {}}, "Exactly one"),
        ({"linksModuleData": {"uris": [{"uri": "example.com"}]}}, "scheme"),
        ({"textModulesData": [{"id": "a.b", "body": "x"}]}, "textModulesData[0].id"),
        ({"merchantLocations": [{"latitude": 41.0, "longitude": 29.0}] * 11}, "merchantLocations"),
        ({"valueAddedModuleData": [{"header": {"defaultValue": {"language": "en", "value": "x"}}}]}, "uri"),
        (
            {
                "valueAddedModuleData": [
                    {"header": {"defaultValue": {"language": "en", "value": "x" * 61}}, "uri": "https://a.example"}
                ]
            },
            "60",
        ),
        ({"validTimeInterval": {"start": {"date": "2026-01-01T00:00:00Z"}, "end": {"date": "2026-02-01"}}}, "offset"),
        ({"validTimeInterval": {"end": {"date": "tomorrow"}}}, "ISO 8601"),
        ({"disableExpirationNotification": True}, "offers only"),
        ({"linkedOfferIds": [f"{ISSUER_ID}.none"]}, "none"),
        ({"classId": 7}, "classId"),
        ({"state": None}, "state"),
        ({"id": "no-issuer"}, "no-issuer"),
    ],
)
def test_a_wrong_body_is_refused_and_the_fault_named(google: GoogleClient, changes: dict[str, Any], named: str) -> None:
    google.made("POST", "loyaltyClass", loyalty_class())

    answer = google.call("POST", "loyaltyObject", loyalty_object(**changes))

    assert error_of(answer) == (400, "invalidResource")
    assert named in answer.json()["error"]["message"]


def test_bodies_that_are_no_objects_are_refused(google: GoogleClient, sandbox: Sandbox) -> None:
    assert google.call("POST", "loyaltyObject", [1]).status_code == 400
    broken = google.session.post(f"{sandbox.google_url}/walletobjects/v1/loyaltyObject", data=b"{", timeout=5)
    assert error_of(broken) == (400, "parseError")


def test_every_write_of_a_class_carries_a_review_status(google: GoogleClient, card: str) -> None:
    path = f"loyaltyClass/{CLASS_ID}"

    for body in ({"programName": "New"}, {"reviewStatus": "APPROVED"}, {"reviewStatus": "DRAFT"}):
        assert error_of(google.call("PATCH", path, body)) == (400, "invalidResource")
    changed = google.made("PATCH", path, {"programName": "New", "reviewStatus": "UNDER_REVIEW"})
    assert (changed["programName"], changed["reviewStatus"]) == ("New", "APPROVED")


def test_a_draft_class_cannot_have_objects(google: GoogleClient) -> None:
    google.made("POST", "loyaltyClass", loyalty_class(reviewStatus="DRAFT"))

    assert "draft" in google.call("POST", "loyaltyObject", loyalty_object()).json()["error"]["message"]


def test_patch_clears_by_null_replaces_lists_and_merges_objects(google: GoogleClient, card: str) -> None:
    google.made("PATCH", card, {"accountName": "Ayşe", "textModulesData": [{"id": "a"}, {"id": "b"}]})

    changed = google.made(
        "PATCH",
        card,
        {
            "accountName": None,
            "textModulesData": [{"id": "c"}],
            "loyaltyPoints": {"balance": {"int": None, "string": "11"}},
        },
    )

    assert "accountName" not in changed
    assert changed["textModulesData"] == [{"id": "c"}]
    assert changed["loyaltyPoints"] == {"label": "Points", "balance": {"string": "11"}}


def test_a_patch_that_leaves_two_balances_is_refused_and_changes_nothing(google: GoogleClient, card: str) -> None:
    answer = google.call("PATCH", card, {"loyaltyPoints": {"balance": {"string": "11"}}})

    assert error_of(answer) == (400, "invalidResource")
    assert google.made("GET", card)["loyaltyPoints"]["balance"] == {"int": 10}


def test_put_clears_what_is_left_out_messages_too(google: GoogleClient, card: str) -> None:
    google.made("POST", f"{card}/addMessage", {"message": {"id": "m1", "header": "Hi", "body": "There"}})

    changed = google.made("PUT", card, {"classId": CLASS_ID, "state": "ACTIVE"})

    assert "messages" not in changed
    assert "loyaltyPoints" not in changed


def test_lists_come_whole_or_in_pages_and_parts(google: GoogleClient, card: str) -> None:
    for number in (2, 3):
        google.made("POST", "loyaltyObject", loyalty_object(id=f"{ISSUER_ID}.card-{number}"))

    whole = google.made("GET", "loyaltyObject", classId=CLASS_ID)
    first = google.made(
        "GET", "loyaltyObject", classId=CLASS_ID, maxResults=2, fields="resources(id,hasUsers),pagination"
    )
    second = google.made(
        "GET", "loyaltyObject", classId=CLASS_ID, maxResults=2, token=first["pagination"]["nextPageToken"]
    )

    assert len(whole["resources"]) == 3
    assert "nextPageToken" not in whole["pagination"]
    assert first["resources"][0] == {"id": OBJECT_ID, "hasUsers": False}
    assert [resource["id"] for resource in second["resources"]] == [f"{ISSUER_ID}.card-3"]
    assert "nextPageToken" not in second["pagination"]
    assert len(google.made("GET", "loyaltyClass", issuerId=ISSUER_ID)["resources"]) == 1


def test_a_card_buzzes_three_times_a_day_for_messages(google: GoogleClient, card: str, sandbox: Sandbox) -> None:
    news = {"message": {"header": "Hi", "body": "There", "messageType": "TEXT_AND_NOTIFY"}}
    for _ in range(3):
        google.made("POST", f"{card}/addMessage", news)

    refused = google.call("POST", f"{card}/addMessage", news)

    assert error_of(refused) == (403, "quotaExceeded")
    assert refused.json()["error"]["errors"][0]["domain"] == "walletobjects"
    assert "Quota exceeded for issuer" in refused.json()["error"]["message"]
    google.made("POST", f"{card}/addMessage", {"message": {"header": "Hi", "body": "Silently"}})
    google.made("POST", f"loyaltyClass/{CLASS_ID}/addMessage", news)
    sandbox.google.advance(DAY_S + 1)
    assert len(google.made("POST", f"{card}/addMessage", news)["resource"]["messages"]) == 5


def test_there_is_room_for_ten_messages(google: GoogleClient, card: str) -> None:
    for _ in range(10):
        google.made("POST", f"{card}/addMessage", {"message": {"body": "x"}})

    assert error_of(google.call("POST", f"{card}/addMessage", {"message": {"body": "x"}})) == (400, "invalidResource")
    assert len(google.made("PATCH", card, {"messages": [{"body": "only"}]})["messages"]) == 1


def test_field_updates_have_their_own_budget_and_only_some_fields_count(
    google: GoogleClient, card: str, sandbox: Sandbox
) -> None:
    def points(number: int) -> dict[str, Any]:
        return {"loyaltyPoints": {"balance": {"int": number}}, "notifyPreference": "NOTIFY_ON_UPDATE"}

    sandbox.google.save(thin_jwt(sandbox))
    buzzes: list[Any] = []
    leave = sandbox.google.subscribe(lambda event: buzzes.append(event) if event["notify"] else None)
    google.made("PATCH", card, {"accountName": "Ayşe", "notifyPreference": "NOTIFY_ON_UPDATE"})
    google.made("PATCH", card, points(10))
    for number in (11, 12, 13):
        google.made("PATCH", card, points(number))

    refused = google.call("PATCH", card, points(14))

    leave()
    assert error_of(refused) == (403, "quotaExceeded")
    assert len(buzzes) == 3
    assert buzzes[0]["header"] == "Beans"
    assert google.made("GET", card)["loyaltyPoints"]["balance"] == {"int": 13}
    assert "notifyPreference" not in google.made("GET", card)
    google.made("PATCH", card, {"loyaltyPoints": {"balance": {"int": 14}}})
    google.made(
        "POST", f"{card}/addMessage", {"message": {"header": "Hi", "body": "x", "messageType": "TEXT_AND_NOTIFY"}}
    )


def test_an_object_can_move_to_another_class_but_not_to_none(google: GoogleClient, card: str) -> None:
    google.made("POST", "loyaltyClass", loyalty_class(id=f"{ISSUER_ID}.gold", rewardsTier="Gold"))

    moved = google.made("PATCH", card, {"classId": f"{ISSUER_ID}.gold"})

    assert moved["classReference"]["rewardsTier"] == "Gold"
    assert error_of(google.call("PATCH", card, {"classId": f"{ISSUER_ID}.tin"})) == (404, "classNotFound")


def test_links_to_other_passes_never_go_away(google: GoogleClient, card: str) -> None:
    google.made("POST", "loyaltyObject", loyalty_object(id=f"{ISSUER_ID}.card-2"))
    google.made("PATCH", card, {"linkedObjectIds": [f"{ISSUER_ID}.card-2"]})

    assert google.call("PATCH", card, {"linkedObjectIds": []}).status_code == 400
    assert google.call("PATCH", card, {"linkedObjectIds": [OBJECT_ID]}).status_code == 400


def test_an_object_expires_by_itself_when_its_time_is_over(google: GoogleClient, card: str, sandbox: Sandbox) -> None:
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    google.made("PATCH", card, {"validTimeInterval": {"end": {"date": end}}})

    sandbox.google.advance(61)

    assert google.made("GET", card)["state"] == "EXPIRED"


def test_without_a_good_token_nothing_is_answered(google: GoogleClient, card: str, sandbox: Sandbox) -> None:
    sandbox.google.account.revoke_tokens()

    assert error_of(google.call("GET", card)) == (401, "authError")
    assert requests.get(f"{sandbox.google_url}/walletobjects/v1/{card}", timeout=30).status_code == 401


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"aud": "https://example.com/token"}, "invalid_grant"),
        ({"iss": "somebody@else.example"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"exp": int(time.time()) + 7200}, "invalid_grant"),
        ({"scope": "openid"}, "invalid_scope"),
    ],
)
def test_an_assertion_that_google_would_refuse_is_refused(
    google: GoogleClient, sandbox: Sandbox, changes: dict[str, Any], error: str
) -> None:
    now = int(time.time())
    credentials = google.credentials
    claims = {
        "iss": credentials.service_account_email,
        "aud": f"{sandbox.google_url}/token",
        "scope": "https://www.googleapis.com/auth/wallet_object.issuer",
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    key = sandbox.google_credentials.parent / "service-account.key.pem"
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(claims, key.read_text(), algorithm="RS256"),
    }

    answer = requests.post(f"{sandbox.google_url}/token", data=form, timeout=30)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_the_issuer_says_whether_the_key_is_invited(google: GoogleClient, sandbox: Sandbox) -> None:
    assert google.made("GET", f"issuer/{ISSUER_ID}")["issuerId"] == ISSUER_ID
    assert google.call("GET", "issuer/1").status_code == 404
    sandbox.google.invited = False
    assert error_of(google.call("GET", f"issuer/{ISSUER_ID}")) == (403, "permissionDenied")


def test_too_many_calls_are_429(google: GoogleClient, card: str, sandbox: Sandbox) -> None:
    sandbox.google.rate_per_s = 2.0

    statuses = [google.call("GET", card).status_code for _ in range(10)]

    assert 429 in statuses


def test_scripted_faults_carry_status_reason_and_retry_after(google: GoogleClient, card: str, sandbox: Sandbox) -> None:
    sandbox.google.script(
        Fault(operation="loyaltyObject.patch", status=429, reason="rateLimitExceeded", retry_after_s=7),
        Fault(status=503),
    )

    refused = google.call("PATCH", card, {"accountName": "x"})

    assert error_of(refused) == (429, "rateLimitExceeded")
    assert refused.headers["Retry-After"] == "7"
    assert google.call("GET", card).status_code == 503
    assert google.made("GET", card).get("accountName") is None


def test_a_lost_answer_leaves_the_change_made(google: GoogleClient, card: str, sandbox: Sandbox) -> None:
    sandbox.google.script(Fault(operation="loyaltyObject.addMessage", apply=True, drop=True))

    with pytest.raises(requests.ConnectionError):
        google.call("POST", f"{card}/addMessage", {"message": {"id": "m1", "body": "x"}})

    assert google.made("GET", card)["messages"][0]["id"] == "m1"
    lost = next(record for record in sandbox.google.requests if record.operation == "loyaltyObject.addMessage")
    assert (lost.status, lost.applied) == (0, True)


def test_old_names_can_be_answered_as_live_answers_have_done(google: GoogleClient, card: str, sandbox: Sandbox) -> None:
    google.made("PATCH", card, {"barcode": {"type": "QR_CODE", "value": "1"}})
    sandbox.google.wallet.legacy_names = True

    answer = google.made("GET", card)

    assert answer["state"] == "active"
    assert answer["barcode"]["type"] == "qrCode"
    assert answer["classReference"]["reviewStatus"] == "approved"


def test_images_on_this_machine_are_fetched_when_asked_to(google: GoogleClient, card: str, sandbox: Sandbox) -> None:
    sandbox.google.judge_images()
    gone = {"heroImage": {"sourceUri": {"uri": f"{sandbox.google_url}/missing.png"}}}

    answer = google.call("PATCH", card, gone)
    sandbox.google.judge_images(False)

    assert "Image cannot be loaded" in answer.json()["error"]["message"]
    google.made("PATCH", card, gone)
