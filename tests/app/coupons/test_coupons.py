"""Unique codes at the counter and in the office, on both databases."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from app.counter import couponing
from app.counter.couponing import Used
from app.coupons import batches, exchange, making, service
from app.coupons.batches import BatchDraft
from app.coupons.models import Batch, Coupon
from app.ledger import held as holding
from app.offers import service as offers
from app.world import World
from tests import factories
from tests.app.rewards.stall import TILL, Stall, at_once, refusal


def batch(stall: Stall, *, size: int = 3, **over: Any) -> Batch:
    draft = BatchDraft(**{"name": "Spring", "gives": "points", "points": 20, "size": size, **over})
    made = stall.work(lambda s: batches.ask(s, s.merge(stall.programme), draft, by="staff:stf_1", now=stall.now))
    making.make_codes(stall.world)
    return made


def told(stall: Stall, made: Batch) -> list[str]:
    with stall.world.database.reading() as session:
        return [code for _, code in exchange.page(session, session.get_one(Batch, made.id), after=-1, limit=10_000)]


def use(stall: Stall, code: str, card: Any = None, **over: Any) -> Used:
    def work(session: Session) -> Used:
        found = service.find(session, stall.programme.id, code)
        at = {"by": TILL, "now": stall.now, "store": stall.store, **over}
        return couponing.redeem_code(session, holding.by_id(session, (card or stall.card).id), found, **at)

    return stall.work(work)


def test_a_code_gives_points_once_and_says_when_and_where_it_was_used(any_world: World) -> None:
    stall = Stall(any_world)
    code = told(stall, batch(stall))[0]

    done = use(stall, code.lower())
    stall.clock.advance(minutes=5)
    again = refusal(lambda: use(stall, code))
    stall.clock.advance(days=1)
    later = refusal(lambda: use(stall, code))

    assert (done.balance, done.gives, stall.has()) == (20, "points", 20)
    assert (again.status, again.code, again.public) == (409, "already_used", "Used 13:00 at Kadıköy")
    assert later.public == "Used 2026-11-20 13:00 at Kadıköy"


def test_a_code_gives_a_reward_for_nothing_and_counts_its_stock(any_world: World) -> None:
    stall = Stall(any_world)
    reward = stall.offer(stock=1)
    codes = told(stall, batch(stall, gives="reward", points=0, subject=reward.public_id))

    done = use(stall, codes[0])
    sold_out = refusal(lambda: use(stall, codes[1]))

    assert done.taking is not None
    assert (done.taking.units, stall.has(), stall.row(reward).stock) == (0, 0, 0)
    assert sold_out.code == "out_of_stock"
    with any_world.database.reading() as session:
        assert service.find(session, stall.programme.id, codes[1]).coupon.used_at is None


def test_a_code_lets_use_an_offer(world: World) -> None:
    stall = Stall(world)
    with world.database.unit_of_work() as session:
        draft = offers.OfferDraft(
            programme=session.merge(stall.programme), title="Cake", body="", starts_at=stall.now,
            ends_at=stall.now + timedelta(days=1), timezone="Europe/Istanbul",
        )  # fmt: skip
        offer = offers.create(session, draft, by="staff:x", now=stall.now)
        offers.tick(session, now=stall.now)
    code = told(stall, batch(stall, gives="offer", points=0, subject=offer.public_id))[0]

    done = use(stall, code)

    assert (done.gives, done.entry.note) == ("offer", f"offer:{offer.public_id}")
    assert refusal(lambda: use(stall, code)).code == "already_used"


def test_undoing_makes_a_code_good_again_once(any_world: World) -> None:
    stall = Stall(any_world)
    reward = stall.offer(stock=1)
    code = told(stall, batch(stall, gives="reward", points=0, subject=reward.public_id))[0]
    done = use(stall, code)

    stall.undo(done)
    use(stall, code)
    stall.work(lambda s: service.give_back(s, done.entry.id))

    assert stall.row(reward).stock == 0
    assert refusal(lambda: use(stall, code)).code == "already_used"


def test_of_fifty_uses_of_one_code_one_succeeds(any_world: World) -> None:
    stall = Stall(any_world)
    code = told(stall, batch(stall))[0]
    members = [stall.member() for _ in range(10)]

    found = Counter(at_once([lambda c=members[n % 10]: use(stall, code, c) for n in range(50)]))

    assert found == {"done": 1, "already_used": 49}
    assert sum(stall.has(card) for card in members) == 20


def test_a_batch_that_is_called_back_gives_nothing_more(any_world: World) -> None:
    stall = Stall(any_world)
    made = batch(stall)
    codes = told(stall, made)
    use(stall, codes[0])

    done = [stall.work(lambda s: batches.revoke(s, s.get_one(Batch, made.id), now=stall.now)) for _ in range(2)]

    assert done == [True, False]
    assert (refusal(lambda: use(stall, codes[0])).code, refusal(lambda: use(stall, codes[1])).code) == (
        "already_used", "revoked",
    )  # fmt: skip


def test_windows_and_stores_of_a_batch_are_looked_at(world: World) -> None:
    stall = Stall(world)
    with world.database.unit_of_work() as session:
        moda = factories.store(session, session.merge(stall.programme), "Moda")
    starts = stall.now + timedelta(hours=1)
    timed = told(stall, batch(stall, starts_at=starts, ends_at=starts + timedelta(hours=1)))[0]
    placed = told(stall, batch(stall, stores=[moda.id]))[0]

    assert refusal(lambda: use(stall, placed)).code == "wrong_store"
    assert refusal(lambda: use(stall, timed)).code == "not_started"
    stall.clock.advance(hours=2)
    assert refusal(lambda: use(stall, timed)).code == "ended"
    assert use(stall, placed, store=moda).balance == 20


def test_a_code_of_another_programme_does_not_exist(any_world: World) -> None:
    stall = Stall(any_world)
    code = told(stall, batch(stall))[0]
    with any_world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", pass_type_identifier="pass.com.example.other")
        theirs = factories.card(session, other, "Mallory")

    def work(session: Session) -> None:
        service.find(session, other.id, code)

    refused = refusal(lambda: stall.work(work))
    made_up = refusal(lambda: stall.work(lambda s: service.find(s, stall.programme.id, "7K3M9QX2TDS")))

    assert theirs.programme_id == other.id
    assert (refused.status, refused.code, refused.public) == (404, "unknown_code", made_up.public)


def test_a_wrong_check_character_is_answered_without_asking_the_database(world: World) -> None:
    stall = Stall(world)
    code = told(stall, batch(stall))[0]
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    asked: list[str] = []
    with world.database.reading() as session:
        session.connection()
        event.listen(world.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))

        assert refusal(lambda: service.find(session, stall.programme.id, wrong)).code == "unknown_code"
        assert asked == []
        service.find(session, stall.programme.id, code)
    assert len(asked) == 1


def test_a_copy_of_the_database_tells_no_code(world: World) -> None:
    stall = Stall(world)
    made = batch(stall)
    codes = told(stall, made)

    with world.database.reading() as session:
        rows = [bytes(one) for one in session.scalars(select(Coupon.digest))]
        kept = session.get_one(Batch, made.id).seed or b""

    assert len(set(rows)) == 3
    assert all(code.encode() not in row + kept for code in codes for row in rows)


def test_codes_go_out_once_as_text_that_no_spreadsheet_reckons_with(any_world: World) -> None:
    stall = Stall(any_world)
    made = batch(stall, size=6_001)
    heard: list[int] = []

    file = "".join(exchange.lines(any_world.database, made.public_id, now=any_world.clock, told=heard.append))

    head, *rows = file.split("\r\n")[:-1]
    assert (head, len(rows), sum(heard), all(row[4] == "-" for row in rows)) == ("code", 6_001, 6_001, True)
    assert use(stall, rows[-1]).balance == 20
    again = refusal(lambda: list(exchange.lines(any_world.database, made.public_id, now=any_world.clock)))
    assert (again.code, stall.row(made).seed) == ("downloaded", None)


def test_a_download_that_breaks_off_can_be_begun_again(world: World) -> None:
    stall = Stall(world)
    made = batch(stall, size=6_000)
    broken = exchange.lines(world.database, made.public_id, now=world.clock)

    begun = [next(broken), next(broken)]
    broken.close()

    assert "".join(exchange.lines(world.database, made.public_id, now=world.clock)).startswith("".join(begun))


def test_a_batch_that_is_made_in_chunks_by_two_at_once_has_each_code_once(any_world: World) -> None:
    stall = Stall(any_world)
    draft = BatchDraft(name="Spring", gives="points", points=1, size=1_000)
    made = stall.work(lambda s: batches.ask(s, s.merge(stall.programme), draft, by="x", now=stall.now))

    at_once([lambda: stall.work(lambda s: batches.make_chunk(s, made.id, chunk=100))] * 12)

    row = stall.row(made)
    assert (row.made, row.state, len(set(told(stall, made)))) == (1_000, "ready", 1_000)


@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"size": 1_000_001}, "batch_too_large", "size"),
        ({"size": 0}, "invalid_batch", "size"),
        ({"name": ""}, "invalid_batch", "name"),
        ({"points": 0}, "invalid_batch", "points"),
        ({"gives": "reward"}, "invalid_batch", "gives"),
        ({"stores": [999]}, "invalid_batch", "stores"),
    ],
)
def test_what_cannot_be_a_batch_is_refused(world: World, wrong: dict[str, Any], code: str, field: str) -> None:
    stall = Stall(world)

    refused = refusal(lambda: batch(stall, **wrong))

    assert (refused.status, refused.code, list(refused.errors)) == (422, code, [field])


def test_codes_of_ones_own_are_judged_row_by_row(any_world: World) -> None:
    stall = Stall(any_world)
    taken = told(stall, batch(stall))[0]
    file = f"code\n7k3m-9qx2-tds\n7K3M9QX2TDT\nsummer-2026-abc\n7K3M 9QX2 TDS\n\n{taken}\nshort\n=1+1\n"

    with any_world.database.reading() as session:
        brought = exchange.read(session, stall.programme.id, exchange.decoded(file.encode("utf-8-sig")))

    assert brought.codes == ("7K3M9QX2TDS", "SUMMER2026ABC")
    assert [(one.row, one.code) for one in brought.errors] == [
        (3, "…2TDT"), (5, "… TDS"), (7, f"…{taken[-4:]}"), (8, "…hort"), (9, "…=1+1"),
    ]  # fmt: skip
    assert brought.errors[0].sentence == "Its last character does not fit; it would be S."
    assert brought.errors[1].sentence == "This code stands in row 2 too."
    assert _bring(stall, brought.codes).state == "ready"
    assert use(stall, "Summer 2026 ABC").balance == 5
    assert refusal(lambda: _bring(stall, brought.codes)).code == "code_taken"


def test_a_file_that_is_no_csv_is_refused(world: World) -> None:
    assert refusal(lambda: exchange.decoded(b"\xff\xfe\x00")).code == "invalid_csv"


def _bring(stall: Stall, own: Sequence[str]) -> Batch:
    draft = BatchDraft(name="Own", gives="points", points=5, size=len(own))
    return stall.work(
        lambda s: batches.take_in(s, s.merge(stall.programme), draft, own, by="staff:stf_1", now=stall.now)
    )
