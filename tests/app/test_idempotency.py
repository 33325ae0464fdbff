"""A key and a body have one answer, whoever asks how often and at once, on both databases."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app import idempotency
from app.errors import BadRequest, Conflict, Unprocessable
from app.idempotency import Replay, RequestKey
from app.world import World
from tests.conftest import MovableClock

SCOPE, KEY = "ledger:key_1:earn", "abc-1"
DIGEST = idempotency.request_hash("POST", "/api/v1/cards/X/earn", b'{"amount": "1.00"}')
OTHER = idempotency.request_hash("POST", "/api/v1/cards/X/earn", b'{"amount": "2.00"}')


def answer_once(world: World, *, key: str = KEY, scope: str = SCOPE, answer: str = '{"points": 1}') -> None:
    with world.database.unit_of_work() as session:
        assert idempotency.begin(session, scope, key, DIGEST, now=world.clock()) is None
        idempotency.finish(session, scope, key, status=201, answer=answer)


def test_the_same_request_is_answered_from_memory(any_world: World) -> None:
    answer_once(any_world)

    with any_world.database.unit_of_work() as session:
        again = idempotency.begin(session, SCOPE, KEY, DIGEST, now=any_world.clock())

    assert again == Replay(status=201, answer='{"points": 1}')


def test_the_same_key_with_another_body_is_refused(any_world: World) -> None:
    answer_once(any_world)

    with any_world.database.unit_of_work() as session, pytest.raises(Unprocessable, match="idempotency_mismatch"):
        idempotency.begin(session, SCOPE, KEY, OTHER, now=any_world.clock())


def test_keys_of_different_callers_do_not_meet(any_world: World) -> None:
    answer_once(any_world)
    answer_once(any_world, scope="ledger:key_2:earn")


def test_a_request_that_failed_leaves_its_key_free(any_world: World) -> None:
    def fail() -> None:
        with any_world.database.unit_of_work() as session:
            idempotency.begin(session, SCOPE, KEY, DIGEST, now=any_world.clock())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    answer_once(any_world)


def test_a_key_whose_request_never_answered_says_so(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        idempotency.begin(session, SCOPE, KEY, DIGEST, now=any_world.clock())

    with any_world.database.unit_of_work() as session, pytest.raises(Conflict) as refusal:
        idempotency.begin(session, SCOPE, KEY, DIGEST, now=any_world.clock())

    assert (refusal.value.code, refusal.value.retry_after_s) == ("in_progress", 1)


def test_of_many_at_once_one_does_the_work_and_all_get_its_answer(any_world: World) -> None:
    worked: list[int] = []
    answers: list[str] = []
    gate = threading.Barrier(12)

    def ask(number: int) -> None:
        gate.wait()
        with any_world.database.unit_of_work() as session:
            before = idempotency.begin(session, SCOPE, KEY, DIGEST, now=any_world.clock())
            if before is None:
                worked.append(number)
                idempotency.finish(session, SCOPE, KEY, status=201, answer=f"done by {number}")
            answers.append(before.answer if before else f"done by {number}")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(worked) == 1
    assert answers == [f"done by {worked[0]}"] * 12


def test_old_keys_are_forgotten_except_those_that_moved_points(any_world: World, clock: MovableClock) -> None:
    answer_once(any_world, scope="ledger:key_1:earn")
    answer_once(any_world, scope="api:key_1:members")
    clock.advance(hours=25)
    answer_once(any_world, scope="api:key_1:members", key="later")

    with any_world.database.unit_of_work() as session:
        forgotten = idempotency.forget_before(session, clock() - timedelta(hours=24))

    with any_world.database.reading() as session:
        left = session.execute(select(RequestKey.scope, RequestKey.key).order_by(RequestKey.scope)).all()
        assert session.scalar(select(func.count()).select_from(RequestKey)) == 2
    assert forgotten == 1
    assert left == [("api:key_1:members", "later"), ("ledger:key_1:earn", KEY)]


@pytest.mark.parametrize("key", [None, ""])
def test_a_key_is_asked_for(key: str | None) -> None:
    with pytest.raises(BadRequest, match="idempotency_key_missing"):
        idempotency.check_key(key)


@pytest.mark.parametrize("key", ["x" * 256, "a\nb", "ключ", "a\x00"])
def test_a_key_that_no_header_should_carry_is_refused(key: str) -> None:
    with pytest.raises(BadRequest, match="idempotency_key_invalid"):
        idempotency.check_key(key)


def test_method_path_and_body_all_count() -> None:
    digests = {
        idempotency.request_hash(*request)
        for request in (("POST", "/a", b"b"), ("PUT", "/a", b"b"), ("POST", "/ab", b""), ("POST", "/a", b"c"))
    }

    assert len(digests) == 4
