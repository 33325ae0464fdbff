import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.google import answers, api, encode
from passes.google.answers import Answer, Breaker, Meaning, Scope, Step
from passes.google.ids import Kind
from passes.outcome import Outcome
from tests.passes.google import makers
from tests.passes.google.makers import ISSUER, loyalty_class, loyalty_object, rid

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
KIND = Kind.LOYALTY_OBJECT

PATCH = api.patch(KIND, rid("x"), {"loyaltyPoints": {"balance": {"int": 1}}})
ALERTING = api.patch(KIND, rid("x"), {"loyaltyPoints": {"balance": {"int": 1}}, "notifyPreference": "NOTIFY_ON_UPDATE"})
INSERT = api.insert(KIND, encode.body(loyalty_object()))
INSERT_CLASS = api.insert(Kind.LOYALTY_CLASS, encode.body(loyalty_class()))
PATCH_CLASS = api.patch(Kind.LOYALTY_CLASS, rid("gold"), {"reviewStatus": "UNDER_REVIEW"})
MESSAGE = api.add_message(KIND, rid("x"), encode.message_body(makers.message()))
LOUD = api.add_message(KIND, rid("x"), encode.message_body(makers.message(notify=True)))
LIST = api.list_objects(KIND, rid("gold"))
GET_ISSUER = api.get_issuer(ISSUER)


def error(code: int, reason: str = "", message: str = "Refused.", status: str = "") -> bytes:
    inner: dict[str, object] = {"code": code, "message": message}
    if reason:
        inner["errors"] = [{"message": message, "domain": "walletobjects", "reason": reason}]
    if status:
        inner["status"] = status
    return json.dumps({"error": inner}).encode()


def read(request: api.Request, status: int, content: bytes = b"{}", **context: bool) -> Answer:
    return answers.read(request, status, {}, content, now=NOW, **context)


@dataclass(frozen=True)
class Row:
    """A row of the policy."""

    name: str
    request: api.Request
    status: int
    content: bytes
    outcome: Outcome
    meaning: Meaning
    step: Step
    scope: Scope = Scope.ITEM
    breaker: Breaker | None = None
    opens: bool = False


def bad(name: str, status: int, content: bytes) -> Row:
    return Row(
        name,
        PATCH,
        status,
        content,
        Outcome.REFUSED,
        Meaning.INVALID,
        Step.TELL_OPERATOR,
        breaker=Breaker.CONFIGURATION,
    )


def denied(name: str, content: bytes, status: int = 403, request: api.Request = PATCH) -> Row:
    return Row(
        name,
        request,
        status,
        content,
        Outcome.REFUSED,
        Meaning.PERMISSION,
        Step.TELL_OPERATOR,
        Scope.SENDER,
        Breaker.CREDENTIAL,
        opens=True,
    )


def rate(name: str, status: int, content: bytes, request: api.Request = PATCH) -> Row:
    return Row(name, request, status, content, Outcome.TRY_AGAIN, Meaning.RATE, Step.WAIT, Scope.SENDER)


def missing(name: str, request: api.Request, content: bytes, meaning: Meaning, step: Step) -> Row:
    return Row(name, request, 404, content, Outcome.TRY_AGAIN, meaning, step)


def transient(
    name: str, status: int, content: bytes = b"", request: api.Request = PATCH, step: Step = Step.WAIT
) -> Row:
    return Row(name, request, status, content, Outcome.TRY_AGAIN, Meaning.TRANSIENT, step, breaker=Breaker.VENDOR)


def over_budget(name: str, request: api.Request) -> Row:
    text = "Quota exceeded for issuer 338 when adding TEXT_AND_NOTIFY message to class 338.gold"
    content = error(403, "quotaExceeded", text, "PERMISSION_DENIED")
    return Row(name, request, 403, content, Outcome.TRY_AGAIN, Meaning.NOTIFICATION_QUOTA, Step.REPEAT_SILENTLY)


UNAUTHENTICATED = (Outcome.TRY_AGAIN, Meaning.UNAUTHENTICATED, Step.REFRESH_TOKEN, Scope.SENDER)
MISSING_OBJECT = (Meaning.MISSING_OBJECT, Step.INSERT_OBJECT)
MISSING_CLASS = (Meaning.MISSING_CLASS, Step.INSERT_CLASS)
ROWS = [
    Row("200", PATCH, 200, b'{"id":"a"}', Outcome.DELIVERED, Meaning.DONE, Step.NOTHING),
    Row("201", INSERT, 201, b"{}", Outcome.DELIVERED, Meaning.DONE, Step.NOTHING),
    bad("400 invalidResource", 400, error(400, "invalidResource")),
    bad("400 badRequest", 400, error(400, "badRequest")),
    bad("400 INVALID_ARGUMENT", 400, error(400, status="INVALID_ARGUMENT")),
    bad("400 without a body", 400, b""),
    bad("422", 422, b""),
    Row("401", PATCH, 401, error(401, "authError"), *UNAUTHENTICATED),
    Row("401 Login Required", PATCH, 401, error(401, "required", "Login Required."), *UNAUTHENTICATED),
    Row("401 without a body", PATCH, 401, b"", *UNAUTHENTICATED),
    denied("403 permissionDenied", error(403, "permissionDenied")),
    denied("403 PERMISSION_DENIED", error(403, status="PERMISSION_DENIED")),
    denied("403 without a body", b"<html>Forbidden</html>"),
    denied("403 whose message speaks of quota and rate", error(403, "permissionDenied", "No rate or quota for you")),
    denied("403 of a message for want of permission", error(403, "permissionDenied", "quotaExceeded"), request=LOUD),
    over_budget("403 quotaExceeded on a message", LOUD),
    over_budget("403 quotaExceeded on a field update", ALERTING),
    rate("403 quotaExceeded on a silent call", 403, error(403, "quotaExceeded")),
    rate("403 rateLimitExceeded", 403, error(403, "rateLimitExceeded")),
    rate("403 userRateLimitExceeded", 403, error(403, "userRateLimitExceeded")),
    rate("429 RESOURCE_EXHAUSTED", 429, error(429, status="RESOURCE_EXHAUSTED")),
    rate("429 without a body", 429, b""),
    rate("429 on a message", 429, error(429, "rateLimitExceeded"), request=LOUD),
    rate("429 quotaExceeded on a message", 429, error(429, "quotaExceeded"), request=LOUD),
    missing("404 object", PATCH, error(404, "notFound", "Wallet Object 338.x not found."), *MISSING_OBJECT),
    missing("404 object named class", PATCH, error(404, message="Wallet Object 338.class not found."), *MISSING_OBJECT),
    missing("404 without a body", PATCH, b"", *MISSING_OBJECT),
    missing("404 message to an object", MESSAGE, error(404, "notFound"), *MISSING_OBJECT),
    missing("404 class", PATCH, error(404, "notFound", "Wallet Object Class 338.gold not found."), *MISSING_CLASS),
    missing("404 on insert", INSERT, error(404, "notFound"), *MISSING_CLASS),
    missing("404 on list", LIST, error(404, "notFound"), *MISSING_CLASS),
    missing("404 of a class", PATCH_CLASS, error(404, "notFound"), *MISSING_CLASS),
    Row(
        "404 issuer",
        GET_ISSUER,
        404,
        error(404, "notFound"),
        Outcome.REFUSED,
        Meaning.MISSING_ISSUER,
        Step.TELL_OPERATOR,
        Scope.SENDER,
        Breaker.CONFIGURATION,
        opens=True,
    ),
    Row("409 object", INSERT, 409, error(409, "alreadyExists"), Outcome.TRY_AGAIN, Meaning.ALREADY_EXISTS, Step.PATCH),
    Row("409 class", INSERT_CLASS, 409, b"", Outcome.TRY_AGAIN, Meaning.ALREADY_EXISTS, Step.PATCH),
    transient("409 on a patch", 409, error(409, status="ABORTED")),
    transient("412", 412, error(412, "conditionNotMet")),
    transient("408", 408),
    transient("500", 500, error(500, "backendError")),
    transient("502 from a proxy", 502, b"<html>"),
    transient("503", 503),
    transient("504", 504),
    transient("503 on insert", 503, request=INSERT),
    transient("503 on a message", 503, request=MESSAGE, step=Step.LOOK_FOR_MESSAGE),
    Row(
        "302",
        PATCH,
        302,
        b"",
        Outcome.TRY_AGAIN,
        Meaning.UNEXPECTED,
        Step.WAIT,
        Scope.SENDER,
        Breaker.CONFIGURATION,
    ),
    Row(
        "200 unreadable",
        PATCH,
        200,
        b"<html>",
        Outcome.TRY_AGAIN,
        Meaning.UNREADABLE,
        Step.WAIT,
        breaker=Breaker.VENDOR,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_each_answer_has_its_meaning(row: Row) -> None:
    answer = read(row.request, row.status, row.content)

    assert (answer.outcome, answer.meaning, answer.step) == (row.outcome, row.meaning, row.step)
    assert (answer.scope, answer.breaker, answer.opens) == (row.scope, row.breaker, row.opens)
    assert answer.status == row.status


def test_every_meaning_stands_in_a_row_or_below() -> None:
    below = {Meaning.GIVEN_UP, Meaning.NO_ANSWER}

    assert {row.meaning for row in ROWS} | below == set(Meaning)


def test_a_second_401_is_the_credentials_fault() -> None:
    answer = read(PATCH, 401, error(401, "authError"), token_refreshed=True)

    assert (answer.outcome, answer.step) == (Outcome.TRY_AGAIN, Step.TELL_OPERATOR)
    assert (answer.breaker, answer.opens) == (Breaker.CREDENTIAL, True)


def test_a_missing_object_that_was_given_up_is_gone() -> None:
    answer = read(PATCH, 404, error(404, "notFound"), given_up=True)

    assert (answer.outcome, answer.meaning, answer.step) == (Outcome.GONE, Meaning.GIVEN_UP, Step.NOTHING)


def test_giving_up_a_card_excuses_no_missing_class() -> None:
    answer = read(INSERT, 404, error(404, "notFound"), given_up=True)

    assert answer.meaning is Meaning.MISSING_CLASS


def test_no_answer_is_tried_again_but_a_message_is_looked_for_first() -> None:
    patch, message = (
        answers.no_answer(PATCH, "timed out after 15 s"),
        answers.no_answer(MESSAGE, "timed out after 15 s"),
    )

    assert (patch.outcome, patch.step, patch.breaker) == (Outcome.TRY_AGAIN, Step.WAIT, Breaker.VENDOR)
    assert (message.outcome, message.step) == (Outcome.TRY_AGAIN, Step.LOOK_FOR_MESSAGE)
    assert patch.message == "timed out after 15 s"


def test_googles_own_words_reach_the_operator_on_one_line() -> None:
    answer = read(PATCH, 400, error(400, "invalidResource", "Image\n\x1b[31m cannot be fetched" + "x" * 1000))

    assert answer.reason == "invalidResource"
    assert answer.message.startswith("Image  [31m cannot be fetched")
    assert len(answer.message) == 500


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("Fri, 20 Nov 2026 09:30:30 GMT", 30),
        ("Fri, 20 Nov 2026 09:00:00 GMT", 0),
        ("9999999999999", 86_400),
        ("Fri, 20 Nov 2099 09:00:00 GMT", 86_400),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_googles_wish_to_wait_is_heard_within_reason(header: str, seconds: int | None) -> None:
    answer = answers.read(PATCH, 429, {"retry-After": header}, b"", now=NOW)

    assert answer.retry_after_s == seconds


def test_the_resource_is_found_also_where_a_message_wraps_it() -> None:
    plain = read(PATCH, 200, b'{"id":"338.x","hasUsers":true}')
    wrapped = read(MESSAGE, 200, b'{"resource":{"id":"338.x","hasUsers":false}}')

    assert answers.has_users(answers.resource(plain)) is True
    assert answers.has_users(answers.resource(wrapped)) is False
    assert answers.has_users({"hasUsers": "yes"}) is None
    assert answers.resource(read(PATCH, 503)) == {}


def test_a_list_is_read_page_by_page() -> None:
    content = {
        "resources": [{"id": "338.a", "hasUsers": True}, {"id": "338.b"}, {"id": "338.c", "hasUsers": False}, 5],
        "pagination": {"nextPageToken": "p2", "resultsPerPage": 3},
    }

    page = answers.page(read(LIST, 200, json.dumps(content).encode()))

    assert page.next_token == "p2"
    assert {str(id): held for id, held in answers.holders(page).items()} == {"338.a": True, "338.c": False}
    assert answers.page(read(LIST, 200, b'{"resources":[]}')).next_token is None


def test_a_stranger_among_the_ids_is_passed_over() -> None:
    page = answers.page(read(LIST, 200, b'{"resources":[{"id":"no-issuer","hasUsers":true}]}'))

    assert answers.holders(page) == {}


def test_a_message_of_which_no_answer_came_can_be_looked_for() -> None:
    body = {"messages": [{"id": "week47-1"}, {"id": "week47-2"}]}

    assert answers.has_message(body, "week47-2")
    assert not answers.has_message(body, "week47-3")
    assert not answers.has_message({}, "week47-1")


def test_the_save_link_of_a_long_jwt_is_read() -> None:
    request = api.insert_jwt("a.b.c")

    assert answers.save_uri(read(request, 200, b'{"saveUri":"https://pay.google.com/gp/v/save/x"}')) is not None
    assert answers.save_uri(read(request, 200, b'{"saveUri":"javascript:alert(1)"}')) is None
    assert answers.save_uri(read(request, 200)) is None


def test_an_empty_verdict_on_a_payload_means_valid() -> None:
    assert read(api.validate_payload({}), 200, b"").meaning is Meaning.DONE


@given(
    st.sampled_from([PATCH, INSERT, MESSAGE, LIST, GET_ISSUER, PATCH_CLASS]),
    st.integers(100, 599),
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["error", "errors", "reason", "message", "status", "details"]), inner)
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_whatever_comes_back_has_a_meaning(request: api.Request, status: int, content: bytes) -> None:
    answer = read(request, status, content)

    assert (answer.outcome is Outcome.DELIVERED) == (answer.meaning is Meaning.DONE)
    assert not (answer.step is Step.WAIT and not request.repeatable and status >= 500)
