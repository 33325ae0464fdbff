"""Adding people and keys, and the audit log."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.errors import NotFound, Unprocessable
from app.staff import audit, passwords, rules, service
from app.staff.models import ROLES, ApiKey, AuditEvent, Staff
from app.world import World
from tests import factories

PERSON = {"email": "bob@example.com", "name": "Bob", "role": "cashier", "password": "a good long sentence"}


def test_a_person_is_added_with_a_hash_and_no_password(world: World) -> None:
    with world.database.unit_of_work() as session:
        staff = service.add_staff(session, **PERSON, now=world.clock())

    assert staff.password_hash.startswith("$argon2id$")
    assert passwords.matches(staff.password_hash, "a good long sentence")
    assert not passwords.matches(staff.password_hash, "a good long sentencE")
    assert not passwords.matches(None, "nobody has this password")
    assert not passwords.matches("not a hash", "x")


def test_a_password_is_the_same_however_the_keyboard_composes_its_letters() -> None:
    composed, decomposed = "şöför şarkısı", "şöför şarkısı"

    assert passwords.matches(passwords.hashed(composed), decomposed)


@pytest.mark.parametrize(
    ("over", "code", "field"),
    [
        ({"password": "short"}, "password_too_short", "password"),
        ({"password": "ababababababab"}, "password_too_plain", "password"),
        ({"email": "not an address"}, "invalid_email", "email"),
        ({"email": "bob\x00@example.com"}, "invalid_email", "email"),
        ({"role": "king"}, "unknown_role", "role"),
        ({"name": "  "}, "invalid_name", "name"),
        ({"name": "B\x00b"}, "invalid_name", "name"),
    ],
)
def test_what_will_not_do_is_refused_with_its_field(world: World, over: dict[str, str], code: str, field: str) -> None:
    with world.database.unit_of_work() as session, pytest.raises(Unprocessable) as refusal:
        service.add_staff(session, **{**PERSON, **over}, now=world.clock())

    assert refusal.value.code == code
    assert list(refusal.value.errors) == [field]


def test_an_address_is_taken_once_whatever_its_capitals(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        service.add_staff(session, **PERSON, now=any_world.clock())
        with pytest.raises(Unprocessable, match="email_taken"):
            service.add_staff(session, **{**PERSON, "email": "BOB@example.com"}, now=any_world.clock())

    with any_world.database.reading() as session:
        assert len(session.scalars(select(Staff)).all()) == 1


def test_a_till_s_own_name_is_good_to_sign_in_with(world: World) -> None:
    with world.database.unit_of_work() as session:
        staff = service.add_staff(session, **{**PERSON, "email": "Till1@kadikoy"}, now=world.clock())

    assert staff.email == "till1@kadikoy"


def test_a_store_brings_its_programme_and_may_not_be_another_s(world: World) -> None:
    with world.database.unit_of_work() as session:
        ours = factories.programme(session)
        other = factories.programme(session, slug="other", name="Other")
        store = factories.store(session, ours)
        staff = service.add_staff(session, **PERSON, store=store, now=world.clock())
        with pytest.raises(Unprocessable, match="foreign_store"):
            service.add_staff(
                session, **{**PERSON, "email": "c@example.com"}, programme=other, store=store, now=world.clock()
            )

    assert (staff.programme_id, staff.store_id) == (ours.id, store.id)


def test_a_key_s_text_is_shown_once_and_kept_nowhere(world: World) -> None:
    with world.database.unit_of_work() as session:
        key, shown = service.create_key(session, "Till software", "write", None, world.clock())

    with world.database.reading() as session:
        found = service.key_by_text(session, shown)
        kept = session.execute(text("SELECT * FROM api_key")).one()
    assert found is not None
    assert found.public_id == key.public_id
    assert shown.startswith("tsk_")
    assert shown[4:] not in str(kept)


def test_a_key_has_240_random_bits(world: World) -> None:
    with world.database.unit_of_work() as session:
        shown = {service.create_key(session, "k", "read", None, world.clock())[1] for _ in range(20)}

    assert len(shown) == 20
    assert {len(one) for one in shown} == {44}


@pytest.mark.parametrize("wrong", ["", "tsk_", "tsk_ç", "Bearer", "tsk_" + "A" * 40, "tsk_" + "A" * 5000, "\x00"])
def test_other_texts_are_no_keys(world: World, wrong: str) -> None:
    with world.database.reading() as session:
        assert service.key_by_text(session, wrong) is None


def test_a_revoked_key_opens_nothing_and_may_be_revoked_again(world: World) -> None:
    with world.database.unit_of_work() as session:
        key, shown = service.create_key(session, "k", "admin", None, world.clock())
        service.revoke_key(session, key.public_id, now=world.clock())
        service.revoke_key(session, key.public_id, now=world.clock())

    with world.database.reading() as session:
        assert service.key_by_text(session, shown) is None
        assert len([e for e in session.scalars(select(AuditEvent)) if e.action == "key_revoked"]) == 1
        assert session.scalars(select(ApiKey)).one().revoked_at is not None


def test_faulty_keys_are_refused(world: World) -> None:
    with world.database.unit_of_work() as session:
        with pytest.raises(Unprocessable, match="unknown_scope"):
            service.create_key(session, "k", "everything", None, world.clock())
        with pytest.raises(Unprocessable, match="invalid_name"):
            service.create_key(session, " ", "read", None, world.clock())
        with pytest.raises(NotFound, match="unknown_key"):
            service.revoke_key(session, "key_none", now=world.clock())


@pytest.mark.parametrize("statement", ["UPDATE audit_event SET actor = 'x'", "DELETE FROM audit_event"])
def test_the_audit_log_cannot_be_changed(any_world: World, statement: str) -> None:
    with any_world.database.unit_of_work() as session:
        audit.record(session, actor="cli", action="tried", subject="x:1", after={"a": 1}, now=any_world.clock())

    with pytest.raises(DBAPIError), any_world.database.unit_of_work() as session:
        session.execute(text(statement))


def test_every_role_has_a_home_and_the_owner_may_everything() -> None:
    assert set(rules.HOME_BY_ROLE) == set(ROLES)
    assert all(rules.may("owner", roles) for roles in (rules.TILL, rules.MARKETING, rules.ADMIN))
    assert not rules.may("cashier", rules.ADMIN)
    assert rules.may("cashier", ())


def test_of_two_changes_of_a_password_at_once_the_second_must_know_the_first(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        factories.staff(session)
    windows = [_read_staff(any_world) for _ in range(2)]
    now = any_world.clock()

    with any_world.database.unit_of_work() as session:
        session.add(windows[0])
        service.change_password(session, windows[0], old=factories.PASSWORD, new="the owner's new one", now=now)
    with any_world.database.unit_of_work() as session:
        session.add(windows[1])
        with pytest.raises(Unprocessable) as refusal:
            service.change_password(session, windows[1], old=factories.PASSWORD, new="a thief's new one", now=now)

    assert refusal.value.code == "wrong_password"
    assert passwords.matches(_read_staff(any_world).password_hash, "the owner's new one")


def test_ending_access_ends_a_session_that_began_since_the_person_was_read(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        factories.staff(session)
    stale = _read_staff(any_world)
    with any_world.database.unit_of_work() as session:
        service.sign_out(session, stale.id)
    since = _read_staff(any_world).session_epoch

    with any_world.database.unit_of_work() as session:
        session.add(stale)
        service.deactivate(session, stale, actor="cli", now=any_world.clock())

    assert _read_staff(any_world).session_epoch == stale.session_epoch == since + 1


def _read_staff(world: World) -> Staff:
    with world.database.reading() as session:
        return session.scalars(select(Staff)).one()
