"""Signing in and out over HTTP, and what guessers meet."""

import re

import pyotp
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.staff import service, throttle
from app.staff.models import AuditEvent, Staff, Throttle
from app.world import World
from tests import factories
from tests.app.pages import csrf_of, post
from tests.conftest import MovableClock, application


@pytest.fixture
def cashier(world: World) -> Staff:
    with world.database.unit_of_work() as session:
        return factories.staff(session, "cashier", email="alice@example.com")


def sign_in(client: FlaskClient, email: str, password: str = factories.PASSWORD, **more: str):
    return post(client, "/login", page="/login", email=email, password=password, **more)


def test_a_cashier_signs_in_and_lands_at_the_till(client: FlaskClient, cashier: Staff) -> None:
    answer = sign_in(client, "Alice@Example.com")

    assert (answer.status_code, answer.location) == (303, "/till")
    assert client.get("/account").status_code == 200


def test_signing_in_leads_back_to_the_page_that_was_asked_for(client: FlaskClient, cashier: Staff) -> None:
    asked = client.get("/account")

    answer = client.get(asked.location)
    assert 'name="next" value="/account"' in answer.text
    assert sign_in(client, cashier.email, next="/account").location == "/account"


def test_signing_in_never_leads_to_another_site(client: FlaskClient, cashier: Staff) -> None:
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\tx", "x"]:
        assert sign_in(client, cashier.email, next=elsewhere).location == "/till", elsewhere
        post(client, "/logout", page="/account")


def test_unknown_people_and_wrong_passwords_get_the_same_answer(client: FlaskClient, cashier: Staff) -> None:
    def without_tokens(text: str) -> str:
        return re.sub(r'name="csrf_token" value="[^"]+"|value="[^"]*@[^"]*"', "", text)

    wrong = sign_in(client, cashier.email, "not the password")
    unknown = sign_in(client, "nobody@example.com", "not the password")

    assert wrong.status_code == unknown.status_code == 401
    assert without_tokens(wrong.text) == without_tokens(unknown.text)
    assert "is not right" in wrong.text


def test_hostile_addresses_are_refused_like_any_other(any_world: World) -> None:
    client = application(any_world).test_client()

    for email in ["", "\x00", "ali\x00ce@example.com", "x" * 5000, "ç@ş", "' OR 1=1 --"]:
        assert sign_in(client, email).status_code == 401, email


def test_a_form_without_its_token_is_refused(client: FlaskClient, cashier: Staff) -> None:
    answer = client.post("/login", data={"email": cashier.email, "password": factories.PASSWORD})

    assert answer.status_code == 400
    assert client.get("/account").status_code == 303


def test_guessing_at_one_account_is_slowed_down_and_the_owner_gets_in_afterwards(
    client: FlaskClient, cashier: Staff, clock: MovableClock
) -> None:
    for _ in range(throttle.ACCOUNT.free):
        assert sign_in(client, cashier.email, "a wrong guess").status_code == 401
    slowed = sign_in(client, cashier.email)
    clock.advance(seconds=int(slowed.headers["Retry-After"]))

    assert slowed.status_code == 429
    assert sign_in(client, cashier.email).status_code == 303


def test_the_wait_grows_and_never_becomes_a_lock() -> None:
    waits = [throttle.delay_s(throttle.ACCOUNT, count) for count in range(200)]

    assert waits[:8] == [0, 0, 0, 0, 0, 1, 2, 4]
    assert max(waits) == throttle.ACCOUNT.longest_s


def test_guessing_at_many_accounts_from_one_address_is_slowed_down(client: FlaskClient, cashier: Staff) -> None:
    for number in range(throttle.ADDRESS.free):
        assert sign_in(client, f"guess{number}@example.com", "a wrong guess").status_code == 401

    assert sign_in(client, "another@example.com", "a wrong guess").status_code == 429


def test_signing_in_right_does_not_hide_guesses_at_other_accounts(
    client: FlaskClient, world: World, cashier: Staff
) -> None:
    for number in range(3):
        sign_in(client, f"guess{number}@example.com", "a wrong guess")
    sign_in(client, cashier.email)

    with world.database.reading() as session:
        row = session.scalars(select(Throttle).where(Throttle.kind == throttle.ADDRESS.kind)).one()
    assert row.count == 3


def test_old_counts_are_forgotten(client: FlaskClient, world: World, cashier: Staff, clock: MovableClock) -> None:
    sign_in(client, "nobody@example.com", "a wrong guess")
    clock.advance(days=2)
    sign_in(client, cashier.email)

    with world.database.reading() as session:
        kept = session.scalars(select(Throttle)).all()
    assert [row.count for row in kept if row.kind == throttle.ACCOUNT.kind] == []


def test_many_guesses_at_once_are_all_counted(any_world: World) -> None:
    now = any_world.clock()

    def guess(_: int) -> None:
        with any_world.database.unit_of_work() as session:
            throttle.count_failure(session, throttle.Lock(kind="t", limit=99, window_s=60, lock_s=60), "x", now=now)

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(guess, range(24)))

    with any_world.database.reading() as session:
        assert session.get_one(Throttle, ("t", "x")).count == 24


def test_an_ended_access_ends_open_sessions_and_new_ones(client: FlaskClient, world: World, cashier: Staff) -> None:
    sign_in(client, cashier.email)
    with world.database.unit_of_work() as session:
        service.deactivate(session, session.get_one(Staff, cashier.id), actor="cli", now=world.clock())

    assert client.get("/account").status_code == 303
    assert sign_in(client, cashier.email).status_code == 401


def test_signing_out_needs_a_form_and_ends_the_session(client: FlaskClient, cashier: Staff) -> None:
    sign_in(client, cashier.email)

    assert client.get("/logout").status_code == 405
    assert post(client, "/logout", page="/account").status_code == 303
    assert client.get("/account").status_code == 303


def test_a_copied_cookie_is_worth_nothing_after_signing_out(client: FlaskClient, app, cashier: Staff) -> None:
    thief = app.test_client()
    sign_in(client, cashier.email)
    cookie = client.get_cookie("tessera")
    assert cookie is not None
    thief.set_cookie("tessera", cookie.value)
    assert thief.get("/account").status_code == 200

    post(client, "/logout", page="/account")

    assert thief.get("/account").status_code == 303
    assert sign_in(client, cashier.email).status_code == 303


def test_a_new_password_ends_every_other_session(client: FlaskClient, app, cashier: Staff) -> None:
    other = app.test_client()
    sign_in(client, cashier.email)
    sign_in(other, cashier.email)

    changed = post(
        client,
        "/account/password",
        page="/account",
        old=factories.PASSWORD,
        new="a much better sentence",
        again="a much better sentence",
    )

    assert changed.status_code == 303
    assert client.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    assert sign_in(other, cashier.email).status_code == 401
    assert sign_in(other, cashier.email, "a much better sentence").status_code == 303


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"old": "wrong", "new": "a much better sentence"}, "not your present password"),
        ({"new": "short"}, "at least 10 characters"),
        ({"new": "aaaaaaaaaaaaaa"}, "more different characters"),
        ({"new": "alice was here 1"}, "Leave the e-mail address out"),
        ({"new": "x" * 150 + "abcdefgh" * 10}, "at most 200"),
        ({"new": "a much better sentence", "again": "another sentence"}, "differ"),
    ],
)
def test_a_password_that_will_not_do_is_refused_beside_its_field(
    client: FlaskClient, cashier: Staff, fields: dict[str, str], sentence: str
) -> None:
    sign_in(client, cashier.email)
    sent = {"old": factories.PASSWORD, **fields}
    sent.setdefault("again", sent["new"])

    answer = post(client, "/account/password", page="/account", **sent)

    assert answer.status_code == 422
    assert sentence in answer.text


def secret_on(client: FlaskClient) -> str:
    post(client, "/account/authenticator", page="/account")
    shown = re.search(r'class="number" translate="no">([A-Z2-7 ]+)<', client.get("/account").text)
    assert shown
    return shown[1].replace(" ", "")


def turn_on(client: FlaskClient, world: World) -> str:
    secret = secret_on(client)
    right = pyotp.TOTP(secret).at(int(world.clock().timestamp()))
    assert post(client, "/account/authenticator/on", page="/account", code=right).status_code == 303
    return secret


def test_an_authenticator_code_is_asked_for_and_works_once(
    client: FlaskClient, world: World, cashier: Staff, clock: MovableClock
) -> None:
    sign_in(client, cashier.email)
    secret = turn_on(client, world)
    post(client, "/logout", page="/account")
    clock.advance(seconds=60)

    first = sign_in(client, cashier.email, next="/account")
    assert first.location == "/login/code?next=/account"
    assert client.get("/account").status_code == 303
    right = pyotp.TOTP(secret).at(int(clock().timestamp()))
    second = post(client, "/login/code?next=/account", page=first.location, code=right)
    assert second.location == "/account"

    post(client, "/logout", page="/account")
    sign_in(client, cashier.email)
    again = post(client, "/login/code", page="/login/code", code=right)
    assert again.status_code == 401
    assert "used already" in again.text


@pytest.mark.parametrize("code", ["", "000000", "12345", "abcdef", "٣٣٣٣٣٣", "9" * 500])
def test_a_wrong_authenticator_code_does_not_let_in(
    client: FlaskClient, world: World, cashier: Staff, clock: MovableClock, code: str
) -> None:
    sign_in(client, cashier.email)
    turn_on(client, world)
    post(client, "/logout", page="/account")
    clock.advance(seconds=90)
    sign_in(client, cashier.email)

    answer = post(client, "/login/code", page="/login/code", code=code)

    assert answer.status_code == 401
    assert client.get("/account").status_code == 303


def test_the_second_step_is_over_after_five_minutes(
    client: FlaskClient, world: World, cashier: Staff, clock: MovableClock
) -> None:
    sign_in(client, cashier.email)
    turn_on(client, world)
    post(client, "/logout", page="/account")
    sign_in(client, cashier.email)
    clock.advance(minutes=6)

    assert client.get("/login/code").location == "/login"


def test_the_authenticator_is_turned_off_by_the_password_only(
    client: FlaskClient, world: World, cashier: Staff
) -> None:
    sign_in(client, cashier.email)
    turn_on(client, world)

    assert post(client, "/account/authenticator/off", page="/account", password="wrong").status_code == 422
    assert post(client, "/account/authenticator/off", page="/account", password=factories.PASSWORD).status_code == 303
    assert sign_in_again(client, cashier) == "/till"


def sign_in_again(client: FlaskClient, cashier: Staff) -> str | None:
    post(client, "/logout", page="/account")
    return sign_in(client, cashier.email).location


def test_the_secret_is_not_readable_in_the_cookie(client: FlaskClient, cashier: Staff) -> None:
    sign_in(client, cashier.email)
    secret = secret_on(client)

    with client.session_transaction() as kept:
        assert secret not in str(dict(kept))


def test_the_chosen_language_is_kept(client: FlaskClient, cashier: Staff) -> None:
    sign_in(client, cashier.email)

    assert post(client, "/account/language", page="/account", language="tr").status_code == 303
    assert '<html lang="tr"' in client.get("/account").text
    assert post(client, "/account/language", page="/account", language="xx").status_code == 422


def test_signing_in_and_failing_to_are_in_the_audit_log(client: FlaskClient, world: World, cashier: Staff) -> None:
    sign_in(client, cashier.email, "a wrong guess")
    sign_in(client, "nobody@example.com", "a wrong guess")
    sign_in(client, cashier.email)

    with world.database.reading() as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    me = f"staff:{cashier.public_id}"
    assert [(event.action, event.subject) for event in events[1:]] == [
        ("sign_in_refused", me),
        ("sign_in_refused", "staff:unknown"),
        ("signed_in", me),
    ]


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient, cashier: Staff) -> None:
    cookie = sign_in(client, cashier.email).headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert csrf_of(client, "/account")
