"""What the pages ask, on both databases."""

from datetime import timedelta

from app.admin import home
from app.admin.deliveries import card as stories
from app.admin.deliveries import devices, ledger
from app.admin.deliveries.ledger import Standing
from app.admin.look import subject
from app.admin.look.subject import Reach
from app.admin.trail import events
from app.clock import milliseconds
from app.outbox import service as outbox
from app.staff import audit
from app.staff.guards import identity_of
from app.wallets.apple import registrations
from app.world import World
from tests import factories
from tests.conftest import MovableClock, application


def test_the_ledger_counts_by_state_and_programme(any_world: World, clock: MovableClock) -> None:
    now_ms = milliseconds(clock())
    states = (("live", 1, 1), ("live", 2, 1), ("parked", 2, 1), ("gone", 2, 1))
    with any_world.database.unit_of_work() as session:
        mine, other = factories.programme(session), factories.programme(session, slug="other", name="Other")
        sender = outbox.sender_for(session, "apple", mine.pass_type_identifier)
        for number, (state, want, done) in enumerate(states):
            card = factories.card(session, mine, f"Member {number}")
            target = outbox.ensure_target(
                session, channel="apple", sender_id=sender.id, card_id=card.id, address_id=number, want=want,
                done=done, now_ms=now_ms,
            )  # fmt: skip
            target.state = state

    with any_world.database.reading() as session:
        own = ledger.standings(session, [mine], now=clock())
        others = ledger.standings(session, [other], now=clock())
        reach = subject.read(session, mine, now=clock()).reach
        late = ledger.late(session, now_ms=now_ms, programme_id=mine.id)
        by_cause = {cause: len(ledger.late(session, now_ms=now_ms, cause=cause)) for cause in ledger.CAUSES}
        behind = [(one.channel, one.cause, one.count) for one in ledger.causes(session, now=clock())]
        senders = ledger.my_senders(session, mine.id), ledger.my_senders(session, other.id)

    held = Standing(
        programme=mine.name, channel="apple", current=1, told=0, quiet=0, behind=1, parked=1, gone=1,
        causes={"waiting": 1}, counted_at=clock(),
    )  # fmt: skip
    assert own == [held]
    assert others == []
    assert reach == Reach(cards=4, wallets=3)
    assert [one.cause for one in late] == ["waiting", "parked"]
    assert by_cause == {"waiting": 1, "retrying": 0, "stopped": 0, "parked": 1}
    assert behind == [("apple", "parked", 1), ("apple", "waiting", 1)]
    assert senders[0] == {sender.id}


def test_the_trail_of_a_programme_is_that_of_its_own_people(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        mine = factories.programme(session)
        inside = factories.staff(session, "operator", programme=mine)
        outside = factories.staff(session, "owner")
        for one in (inside, outside):
            audit.record(session, actor=f"staff:{one.public_id}", action="tested", subject="x:1", now=clock())

    with any_world.database.reading() as session:
        limited = events.trail(session, programme_id=mine.id, action="tested")
        whole = events.trail(session, action="tested")
        named = events.trail(session, actor="owner@example.com")

    assert [one.actor for one in limited.events] == [f"staff:{inside.public_id}"]
    assert len(whole.events) == 2
    assert whole.names[f"staff:{outside.public_id}"] == "Owner"
    assert {one.actor for one in named.events} == {f"staff:{outside.public_id}"}


def test_the_overview_and_a_card_s_story_are_answered(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        card = factories.card(session, programme, email="ayse@example.com", now=clock())
        staff = factories.staff(session, "operator")
        lines = [("fetch:signature", "one"), ("fetch:signature", "two"), ("list:network", "three")]
        registrations.keep_log(session, lines, now=clock() - timedelta(days=1))

    with application(any_world).test_request_context(), any_world.database.reading() as session:
        answers = home.answers(any_world, session, identity_of(staff), now=clock())
        said = devices.complaints(session, now=clock())
        found = stories.find(session, "ayse@example.com", [programme])
        story = stories.events(session, card, [])

    assert [one.tone for one in answers] == ["warn", "bad", "warn", "good", "warn"]
    assert [(one.count, one.line) for one in said] == [(2, "two"), (1, "three")]
    assert found is not None
    assert found.id == card.id
    assert [one.title for one in story] == ["Joined"]
