from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import event, func, select, text, update

from app.outbox import claims
from app.outbox.claims import Claim
from app.outbox.models import Target
from app.outbox.rules import LEASE_MS, REQUEST_DEADLINE_MS, Lane
from app.world import World
from tests.app.outbox.kit import Kit, kit_for
from tests.conftest import MovableClock


@pytest.fixture
def kit(any_world: World) -> Kit:
    return kit_for(any_world)


def test_a_change_between_send_and_settle_is_still_owed(kit: Kit, clock: MovableClock) -> None:
    card_id = kit.card()
    sent = kit.change(card_id)
    clock.advance(seconds=1)
    claim = kit.claim_one()
    newer = kit.change(card_id)

    kit.settle(claim, sent)

    clock.advance(seconds=1)
    again = kit.claim_one()
    assert (again.rows[0].done, again.rows[0].want, again.rows[0].attempts) == (sent, newer, 1)


def test_a_worker_that_dies_after_its_claim_costs_a_lease_and_nothing_else(kit: Kit, clock: MovableClock) -> None:
    kit.change(kit.card())
    clock.advance(seconds=1)
    kit.claim_one()
    assert kit.claim() is None

    clock.advance(milliseconds=LEASE_MS[Lane.URGENT])

    again = kit.claim_one()
    assert again.rows[0].attempts == 2


def test_workers_at_once_never_get_the_same_row(kit: Kit, clock: MovableClock) -> None:
    for n in range(30):
        kit.change(kit.card(address_id=n))
    clock.advance(seconds=1)
    ready = Barrier(4)

    def take(_: int) -> list[int]:
        ready.wait()
        claim = kit.claim(limit=10)
        return [one.id for one in claim.rows] if claim else []

    with ThreadPoolExecutor(4) as pool:
        taken = [one for batch in pool.map(take, range(4)) for one in batch]
    assert len(taken) == len(set(taken))
    rest = kit.claim()
    assert len(taken) + (len(rest.rows) if rest else 0) == 30


def test_a_late_answer_with_content_forces_one_more_send(kit: Kit, clock: MovableClock) -> None:
    """The late write may have overwritten a newer one that was acknowledged meanwhile."""
    card_id = kit.card()
    old = kit.change(card_id)
    clock.advance(seconds=1)
    slow = kit.claim_one()
    clock.advance(milliseconds=LEASE_MS[Lane.URGENT])
    new = kit.change(card_id)
    quick = kit.claim_one()
    kit.settle(quick, new)
    assert kit.target(card_id).done == new

    assert kit.settle(slow, old, maybe_sent=True) == 1

    again = kit.claim_one()
    assert again.rows[0].done == old - 1
    assert again.rows[0].attempts > 1


def test_a_late_answer_while_another_worker_sends_makes_that_worker_send_again(kit: Kit, clock: MovableClock) -> None:
    card_id = kit.card()
    version = kit.change(card_id)
    clock.advance(seconds=1)
    slow = kit.claim_one()
    clock.advance(milliseconds=LEASE_MS[Lane.URGENT])
    quick = kit.claim_one()

    kit.settle(slow, version, maybe_sent=True)
    assert kit.claim() is None
    assert kit.settle(quick, version, maybe_sent=True) == 1

    again = kit.claim_one()
    kit.settle(again, version, maybe_sent=True)
    assert (kit.target(card_id).done, kit.target(card_id).lease) == (version, None)


def test_a_late_signal_without_content_changes_nothing(kit: Kit, clock: MovableClock) -> None:
    card_id = kit.card()
    version = kit.change(card_id)
    clock.advance(seconds=1)
    slow = kit.claim_one()
    clock.advance(milliseconds=LEASE_MS[Lane.URGENT])
    quick = kit.claim_one()
    kit.settle(quick, version)

    kit.settle(slow, version)

    assert kit.target(card_id).done == version
    clock.advance(hours=1)
    assert kit.claim() is None


@pytest.mark.parametrize(
    ("action", "state", "claimable"),
    [("later", "live", False), ("gone", "gone", False), ("parked", "parked", False), ("waiting", "live", True)],
)
def test_what_each_answer_leaves_behind(
    kit: Kit, clock: MovableClock, action: str, state: str, claimable: bool
) -> None:
    card_id = kit.card()
    kit.change(card_id)
    clock.advance(seconds=1)
    claim = kit.claim_one()

    kit.settle(claim, 0, action, delay_ms=5_000, status=503, reason="ServiceUnavailable")

    after = kit.target(card_id)
    assert (after.state, after.lease, after.last_status) == (state, None, 503)
    assert bool(kit.claim()) is claimable


def test_what_was_not_sent_is_given_back_uncounted(kit: Kit, clock: MovableClock) -> None:
    kit.change(kit.card())
    clock.advance(seconds=1)
    kit.settle(kit.claim_one(), 0, "waiting")

    again = kit.claim_one()
    assert again.rows[0].attempts == 1


def test_the_watcher_knows_when_the_next_row_falls_due(kit: Kit) -> None:
    kit.change(kit.card())
    with kit.world.database.reading() as session:
        assert claims.next_due(session, channel="google", lanes=[Lane.URGENT]) == kit.now_ms + 1_000
        assert claims.next_due(session, channel="google", lanes=[Lane.BULK]) is None
        assert claims.due_senders(session, channel="google", lane=Lane.URGENT, now_ms=kit.now_ms) == []
        due = claims.due_senders(session, channel="google", lane=Lane.URGENT, now_ms=kit.now_ms + 1_000)
    assert [one.id for one in due] == [kit.sender_id]


@pytest.mark.parametrize("any_world", ["postgresql"], indirect=True)
def test_a_node_whose_clock_is_wrong_neither_shortens_a_lease_nor_takes_rows_early(
    kit: Kit, clock: MovableClock
) -> None:
    """PostgreSQL's own time decides inside the claim; what this node thinks it is does not."""
    with kit.world.database.reading() as session:
        clock.at = session.execute(select(func.clock_timestamp())).scalar_one()
    card_id = kit.card()
    kit.change(card_id)

    def claim(now_ms: int) -> Claim | None:
        with kit.world.database.unit_of_work() as session:
            return claims.claim(
                session, kit.sender, channel="google", lane=Lane.URGENT, limit=10, now_ms=now_ms, own_clock=False
            )

    a_day_ahead = kit.now_ms + 86_400_000
    assert claim(a_day_ahead) is None
    with kit.world.database.unit_of_work() as session:
        session.execute(update(Target).values(not_before=kit.now_ms))
    an_hour_behind = kit.now_ms - 3_600_000
    taken = claim(an_hour_behind)
    assert taken is not None
    assert kit.target(card_id).not_before >= kit.now_ms + LEASE_MS[Lane.URGENT]
    assert taken.claimed_ms >= kit.now_ms
    assert taken.send_until_ms == an_hour_behind + LEASE_MS[Lane.URGENT] - REQUEST_DEADLINE_MS


def test_a_batch_is_acknowledged_at_once_each_row_by_what_was_sent_to_it(kit: Kit, clock: MovableClock) -> None:
    ids = [kit.card(address_id=n) for n in range(1, 6)]
    for _ in range(2):
        for one in ids:
            kit.change(one)
    kit.change(ids[0])
    clock.advance(seconds=1)
    claim = kit.claim()
    assert claim is not None
    stolen, newer = claim.rows[1], claim.rows[2]
    with kit.world.database.unit_of_work() as session:
        session.execute(update(Target).where(Target.id == stolen.id).values(lease="another worker's"))
    kit.change(newer.card_id or 0)

    with kit.world.database.unit_of_work() as session:
        told = [(one.id, one.want) for one in claim.rows]
        assert claims.settle(session, claim, told, [], now_ms=kit.now_ms) == 1

    after = [kit.target(one) for one in ids]
    assert [(one.want, one.done, one.lease) for one in after] == [
        (4, 4, None), (3, 1, "another worker's"), (4, 3, None), (3, 3, None), (3, 3, None),
    ]  # fmt: skip
    assert after[2].dirty_since == claim.claimed_ms


@pytest.mark.parametrize("any_world", ["postgresql"], indirect=True)
def test_a_batch_is_settled_by_its_keys_and_not_looked_for_by_its_lease(kit: Kit, clock: MovableClock) -> None:
    """PostgreSQL takes one lease for rare; a plan that begins there reads the whole table, and may compare all."""
    card_id = kit.card(channel="apple")
    crowd = (
        "INSERT INTO target (channel, sender_id, card_id, address_id, want, done, fetched, lane, not_before,"
        " dirty_since, told_at, attempts, state, last_status, last_reason, last_at)"
        " SELECT 'apple', :sender, :card, n, 2, 1, 1, 2, 0, 0, 0, 0, 'live', 0, '', 0 FROM generate_series(2, 2000) n"
    )
    with kit.world.database.unit_of_work() as session:
        session.execute(text(crowd), {"sender": kit.sender_id, "card": card_id})
        session.execute(text("ANALYZE target"))
    claim = kit.claim(Lane.BULK, channel="apple", limit=500)
    assert claim is not None
    asked: list[tuple[str, object]] = []
    event.listen(kit.world.database.engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))

    with kit.world.database.unit_of_work() as session:
        lost = claims.settle(session, claim, [(one.id, one.want) for one in claim.rows], [], now_ms=kit.now_ms)

    statement, values = next(one for one in asked if one[0].startswith("UPDATE target"))
    with kit.world.database.engine.connect() as connection:
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars())  # type: ignore[arg-type]
    assert lost == 0
    assert claim.lease not in plan, plan
