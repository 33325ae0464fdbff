"""Taking over a till with a PIN, what a PIN opens and what not, and a manager's word for one action."""

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.errors import Unprocessable
from app.staff import pins
from app.staff.models import AuditEvent, Staff, StaffPin
from app.till.models import Approval
from app.value import limits
from tests import factories
from tests.app.pages import csrf_of
from tests.app.till.conftest import Shop, Till
from tests.conftest import MovableClock

CASHIER, MANAGER, COLLEAGUE = "4821", "730516", "9063"


@pytest.fixture
def colleague(shop: Shop) -> Staff:
    with shop.world.database.unit_of_work() as session:
        return factories.staff(session, "cashier", email="colleague@example.com", store=shop.store)


@pytest.fixture
def with_pins(shop: Shop, colleague: Staff) -> Shop:
    for staff, pin in ((shop.cashier, CASHIER), (shop.manager, MANAGER), (colleague, COLLEAGUE)):
        pins.set_own(shop.world, staff.id, pin, password=factories.PASSWORD)
    return shop


def switch(till: Till, staff: Staff, pin: str) -> TestResponse:
    return till.send("/till/people", person=staff.public_id, pin=pin)


def switched(till: Till, staff: Staff, pin: str) -> None:
    assert switch(till, staff, pin).status_code == 303
    till.token = csrf_of(till.client, "/till")


def audited(shop: Shop, action: str) -> list[AuditEvent]:
    with shop.world.database.reading() as session:
        return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)))


def test_a_pin_is_stored_as_a_keyed_digest(with_pins: Shop) -> None:
    with with_pins.world.database.reading() as session:
        kept = [row.digest for row in session.scalars(select(StaffPin))]

    assert len(set(kept)) == 3
    assert not any(pin in digest for pin in (CASHIER, MANAGER, COLLEAGUE) for digest in kept)
    assert pins.digest_of(type(with_pins.world.vault)("another-secret-of-at-least-32-characters"), CASHIER) not in kept


@pytest.mark.parametrize(
    ("pin", "code"),
    [("123", "invalid_pin"), ("123456789", "invalid_pin"), ("12a4", "invalid_pin"), ("٤٨٢١", "invalid_pin"),
     ("", "invalid_pin"), ("1111", "pin_too_plain"), ("2345", "pin_too_plain"), ("87654", "pin_too_plain")],
)  # fmt: skip
def test_what_is_no_pin_is_refused(shop: Shop, pin: str, code: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        pins.set_own(shop.world, shop.cashier.id, pin, password=factories.PASSWORD)

    assert refused.value.code == code


def test_setting_a_pin_takes_the_password(till: Till, shop: Shop) -> None:
    wrong = till.send("/account/pin", pin=CASHIER, pin_password="something else")
    right = till.send("/account/pin", pin=CASHIER, pin_password=factories.PASSWORD)

    assert (wrong.status_code, right.status_code) == (422, 303)
    assert "not your present password" in wrong.text
    assert "Your PIN is set" in till.client.get("/account").text
    assert len(audited(shop, "pin_set")) == 1


def test_two_people_of_one_store_cannot_have_one_pin_and_nobody_learns_whose_it_is(
    till: Till, with_pins: Shop, clock: MovableClock
) -> None:
    answers = [till.send("/account/pin", pin=COLLEAGUE, pin_password=factories.PASSWORD) for _ in range(6)]

    assert "Choose another PIN" in answers[0].text
    assert "Colleague" not in answers[0].text
    assert [one.status_code for one in answers] == [422] * 6
    assert "Too many" in answers[5].text
    clock.advance(hours=25)
    assert till.send("/account/pin", pin="5170", pin_password=factories.PASSWORD).status_code in {303, 422}


def test_the_same_pin_is_free_at_another_store(with_pins: Shop) -> None:
    with with_pins.world.database.unit_of_work() as session:
        far = factories.staff(session, "cashier", email="far@example.com", store=with_pins.other_store)

    pins.set_own(with_pins.world, far.id, CASHIER, password=factories.PASSWORD)

    with with_pins.world.database.reading() as session:
        assert pins.has_pin(session, far.id)


def test_a_pin_switches_the_person_and_clears_the_screen(till: Till, with_pins: Shop, colleague: Staff) -> None:
    till.client.get(f"/till/cards/{with_pins.card.serial}")

    answer = switch(till, colleague, COLLEAGUE)

    assert (answer.status_code, answer.location) == (303, "/till")
    till.token = csrf_of(till.client, "/till")
    till.done(till.earn(with_pins.card, "50"))
    assert with_pins.entries()[0].actor == f"staff:{colleague.public_id}"
    events = audited(with_pins, "switched_in") + audited(with_pins, "switched_out")
    assert [(one.actor, one.subject) for one in events] == [
        (f"staff:{colleague.public_id}", f"staff:{colleague.public_id}"),
        (f"staff:{colleague.public_id}", f"staff:{with_pins.cashier.public_id}"),
    ]


def test_what_a_former_person_s_page_sends_after_the_switch_is_refused(till: Till, with_pins: Shop) -> None:
    switch(till, with_pins.manager, MANAGER)  # the page that is still open has the token of before

    assert till.earn(with_pins.card, "50").status_code == 400
    assert len(with_pins.entries()) == 1


@pytest.mark.parametrize("path", ["/account", "/admin", "/admin/staff", "/marketing", "/till/offline/../../admin"])
def test_a_pin_opens_nothing_but_the_till(app: Flask, shop: Shop, path: str) -> None:
    with shop.world.database.unit_of_work() as session:
        owner = factories.staff(session, "owner", store=shop.store)
    pins.set_own(shop.world, owner.id, "5170", password=factories.PASSWORD)
    till = Till(app, shop.cashier)
    switched(till, owner, "5170")

    page = till.client.get(path)
    script = till.client.get(path, headers={"X-Requested-With": "fetch"})

    assert page.status_code in {303, 404}
    assert page.status_code == 404 or page.location.startswith("/login?next=")
    assert script.status_code in {401, 404}
    assert till.client.get("/till").status_code == 200
    assert till.client.get("/healthz/deep").status_code == 401
    assert till.client.get("/login").status_code == 200  # where the password is asked for


def test_the_password_opens_everything_again(app: Flask, with_pins: Shop) -> None:
    till = Till(app, with_pins.cashier)
    switched(till, with_pins.manager, MANAGER)
    token = csrf_of(till.client, "/login")

    till.client.post(
        "/login", data={"csrf_token": token, "email": "manager@example.com", "password": factories.PASSWORD}
    )

    assert till.client.get("/account").status_code == 200


def test_nobody_of_another_store_takes_over(till: Till, with_pins: Shop) -> None:
    with with_pins.world.database.unit_of_work() as session:
        far = factories.staff(session, "cashier", email="far@example.com", store=with_pins.other_store)
        other = factories.programme(session, slug="other", name="Other")
        foreign = factories.staff(session, "manager", email="foreign@example.com", programme=other)
        reader = factories.staff(session, "auditor")
    for staff in (far, foreign, reader):
        pins.set_own(with_pins.world, staff.id, "5170" + str(staff.id), password=factories.PASSWORD)

        assert switch(till, staff, "5170" + str(staff.id)).status_code == 422

        assert staff.public_id not in till.client.get("/till/people").text


@pytest.mark.parametrize("person", ["", "sta_nobody", "\x00", "x" * 5000, "sta_ı"])
@pytest.mark.parametrize("pin", ["", "4821", "\x00", "9" * 5000])
def test_whatever_is_sent_the_answer_is_a_refusal(till: Till, with_pins: Shop, person: str, pin: str) -> None:
    assert till.send("/till/people", person=person, pin=pin).status_code == 422


def test_a_stranger_switches_nothing(app: Flask, with_pins: Shop) -> None:
    client = app.test_client()
    token = csrf_of(client, "/login")

    answer = client.post(
        "/till/people", data={"csrf_token": token, "person": with_pins.cashier.public_id, "pin": CASHIER}
    )

    assert answer.location.startswith("/login")


def test_five_wrong_pins_lock_that_person_at_that_till_for_ten_minutes(
    app: Flask, till: Till, with_pins: Shop, colleague: Staff, clock: MovableClock
) -> None:
    wrong = [switch(till, with_pins.manager, "0000").status_code for _ in range(5)]

    locked = switch(till, with_pins.manager, MANAGER)
    assert wrong == [422] * 5
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) <= 600
    assert "10 min" in locked.text
    elsewhere = Till(app, with_pins.cashier)
    assert switch(elsewhere, with_pins.manager, MANAGER).status_code == 303
    assert switch(till, colleague, COLLEAGUE).status_code == 303
    till.token = csrf_of(till.client, "/till")
    clock.advance(minutes=10, seconds=1)
    assert switch(till, with_pins.manager, MANAGER).status_code == 303
    assert len(audited(with_pins, "pin_refused")) == 5
    assert len(audited(with_pins, "pin_locked")) == 1


def test_thirty_wrong_pins_a_day_lock_a_pin_everywhere_until_a_manager_takes_it_away(
    app: Flask, with_pins: Shop, colleague: Staff, clock: MovableClock
) -> None:
    for _ in range(6):
        till = Till(app, with_pins.cashier)
        for _ in range(5):
            switch(till, colleague, "0000")
        clock.advance(minutes=11)

    fresh = Till(app, with_pins.cashier)
    assert switch(fresh, colleague, COLLEAGUE).status_code == 429
    manager = Till(app, with_pins.manager)
    assert manager.send(f"/till/people/pins/{colleague.public_id}/remove").status_code == 303
    pins.set_own(with_pins.world, colleague.id, "6251", password=factories.PASSWORD)
    assert switch(fresh, colleague, "6251").status_code == 303


def test_a_till_is_switched_for_sixteen_hours_after_the_password(
    till: Till, with_pins: Shop, colleague: Staff, clock: MovableClock
) -> None:
    switched(till, colleague, COLLEAGUE)
    for _ in range(3):
        clock.advance(hours=5)
        assert till.client.get("/till").status_code == 200
    clock.advance(hours=1, seconds=1)

    assert till.client.get("/till").location.startswith("/login")


def test_when_the_person_who_opened_the_till_signs_out_it_is_closed(
    app: Flask, till: Till, with_pins: Shop, colleague: Staff
) -> None:
    switched(till, colleague, COLLEAGUE)
    elsewhere = Till(app, with_pins.cashier)

    elsewhere.send("/logout")

    assert till.client.get("/till").status_code == 303


def test_whoever_signs_out_at_a_switched_till_ends_what_opened_it(
    app: Flask, till: Till, with_pins: Shop, colleague: Staff
) -> None:
    copied = till.client.get_cookie("tessera") or till.client.get_cookie("__Host-tessera")
    switched(till, colleague, COLLEAGUE)

    till.send("/logout")

    thief = app.test_client()
    assert copied is not None
    thief.set_cookie(copied.key, copied.value)
    assert thief.get("/till").status_code == 303


def test_a_cashier_takes_nobody_s_pin_away(till: Till, manager_till: Till, with_pins: Shop, colleague: Staff) -> None:
    path = f"/till/people/pins/{colleague.public_id}/remove"

    assert till.send(path).status_code == 403
    assert till.client.get("/till/people/pins").status_code == 403
    assert "Remove PIN" in manager_till.client.get("/till/people/pins").text
    assert manager_till.send("/till/people/pins/sta_nobody/remove").status_code == 404
    manager_till.send(path)
    assert switch(till, colleague, COLLEAGUE).status_code == 422


def approve(till: Till, shop: Shop, amount: str, key: str, pin: str = MANAGER) -> TestResponse:
    fields = {"key": key, "approver": shop.manager.public_id, "approver_pin": pin}
    return till.earn(shop.card, amount, **fields)


def test_a_manager_approves_what_was_refused_and_the_cashier_stays_who_did_it(till: Till, with_pins: Shop) -> None:
    refused = till.earn(with_pins.card, "12000", key="k-1")
    assert refused.status_code == 403
    assert "Manager approves" in refused.text
    assert MANAGER not in refused.text

    till.done(approve(till, with_pins, "12000", "k-1"))

    entry = with_pins.entries()[0]
    assert (entry.amount_minor, entry.actor) == (1_200_000, f"staff:{with_pins.cashier.public_id}")
    with with_pins.world.database.reading() as session:
        kept = session.scalars(select(Approval)).one()
    assert (kept.entry_id, kept.approved_by) == (entry.id, f"staff:{with_pins.manager.public_id}")
    (given,), (used,) = audited(with_pins, "approval_given"), audited(with_pins, "approval_used")
    assert given.actor == f"staff:{with_pins.manager.public_id}"
    assert (used.actor, used.subject) == (entry.actor, f"transaction:{entry.id}")


def test_pressed_again_an_approved_sale_is_booked_once(till: Till, with_pins: Shop, clock: MovableClock) -> None:
    first = approve(till, with_pins, "12000", "k-1")
    clock.advance(minutes=5)

    assert approve(till, with_pins, "12000", "k-1").location == first.location
    assert len(with_pins.entries()) == 2


def test_an_approval_is_for_that_amount_that_key_and_that_cashier(
    app: Flask, till: Till, with_pins: Shop, colleague: Staff
) -> None:
    till.done(till.earn(with_pins.card, "20", receipt="A-1"))
    taken = {"key": "k-1", "approver": with_pins.manager.public_id, "approver_pin": MANAGER, "receipt": "A-1"}
    assert till.earn(with_pins.card, "12000", **taken).status_code == 409  # approved, yet refused: the word is unused

    assert till.earn(with_pins.card, "13000", key="k-1", receipt="A-1").status_code == 403
    assert till.earn(with_pins.card, "12000", key="k-2", receipt="A-1").status_code == 403
    other = Till(app, colleague)
    assert other.earn(with_pins.card, "12000", key="k-1", receipt="A-1").status_code == 403
    assert till.earn(with_pins.card, "12000", key="k-1", receipt="A-1").status_code == 409


def test_an_approval_is_over_after_two_minutes(till: Till, with_pins: Shop, clock: MovableClock) -> None:
    till.done(till.earn(with_pins.card, "20", receipt="A-1"))
    taken = {"key": "k-1", "approver": with_pins.manager.public_id, "approver_pin": MANAGER, "receipt": "A-1"}
    till.earn(with_pins.card, "12000", **taken)

    clock.advance(minutes=2, seconds=1)

    assert till.earn(with_pins.card, "12000", key="k-1", receipt="A-1").status_code == 403


@pytest.mark.parametrize("who", ["colleague", "cashier"])
def test_a_cashier_s_pin_approves_nothing(till: Till, with_pins: Shop, colleague: Staff, who: str) -> None:
    staff, pin = (colleague, COLLEAGUE) if who == "colleague" else (with_pins.cashier, CASHIER)

    fields = {"approver": staff.public_id, "approver_pin": pin}
    answer = till.earn(with_pins.card, "12000", **fields)

    assert answer.status_code == 422
    assert "The PIN is not right" in answer.text
    assert len(with_pins.entries()) == 1


def test_a_wrong_pin_asks_again_and_five_lock(till: Till, with_pins: Shop) -> None:
    answers = [approve(till, with_pins, "12000", "k-1", "0000") for _ in range(6)]

    assert [one.status_code for one in answers] == [422] * 5 + [429]
    assert "data-open" in answers[0].text
    assert len(with_pins.entries()) == 1


def test_an_undo_of_somebody_else_s_sale_that_leaves_a_debt_is_approved_once(
    app: Flask, till: Till, with_pins: Shop, colleague: Staff
) -> None:
    till.done(till.earn(with_pins.card, "1000"))
    sale = with_pins.entries()[0].id
    till.done(till.redeem(with_pins.card, points="180"))
    other = Till(app, colleague)
    asked = other.undo(sale, key="k-9").text
    assert 'name="confirmed"' in asked
    assert 'value="k-9"' in asked
    refused = other.undo(sale, key="k-9", confirmed="yes")
    assert refused.status_code == 403
    assert '<input type="hidden" name="confirmed" value="yes">' in refused.text

    word = {"approver": with_pins.manager.public_id, "approver_pin": MANAGER, "confirmed": "yes"}
    other.done(other.undo(sale, key="k-9", **word))

    (undone,) = [one for one in with_pins.entries() if one.reverses_id == sale]
    assert undone.actor == f"staff:{colleague.public_id}"


def test_managers_see_who_approved(manager_till: Till, till: Till, with_pins: Shop) -> None:
    till.done(approve(till, with_pins, "12000", "k-1"))

    page = manager_till.client.get(f"/till/cards/{with_pins.card.serial}").text

    assert "Approved by" in page


def lets_load_much(shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        wanted = limits.parse({"load_limit": "50000"}, "TRY")
        limits.change(session, shop.programme, wanted, now=shop.world.clock())


def test_a_manager_approves_a_load_above_the_limit(till: Till, with_pins: Shop) -> None:
    lets_load_much(with_pins)
    address = f"/till/money/{with_pins.card.serial}/load"
    fields = {"key": "k-1", "amount": "12000", "funding_reference": "cash-1"}
    refused = till.send(address, **fields)
    assert refused.status_code == 403
    assert "Manager approves" in refused.text

    word = {"approver": with_pins.manager.public_id, "approver_pin": MANAGER}
    wrong = till.send(address, **fields, approver=with_pins.manager.public_id, approver_pin="0000")
    done = till.send(address, **fields, **word)

    assert (wrong.status_code, done.status_code) == (422, 303)
    assert till.send(address, **fields, **word).location == done.location
    loads = [one for one in with_pins.entries() if one.kind == "load"]
    assert [(one.points, one.actor) for one in loads] == [(1_200_000, f"staff:{with_pins.cashier.public_id}")]


def test_a_manager_approves_the_sale_of_a_large_gift_card_once(till: Till, with_pins: Shop) -> None:
    lets_load_much(with_pins)
    fields = {"key": "k-1", "amount": "12000", "funding_reference": "cash-1"}
    word = {"approver": with_pins.manager.public_id, "approver_pin": MANAGER}

    assert till.send("/till/money/sell", **fields).status_code == 403
    assert till.send("/till/money/sell", **fields, **word).status_code == 200

    with with_pins.world.database.reading() as session:
        assert session.scalars(select(Approval)).one().used_at is not None
