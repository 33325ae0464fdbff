"""Why an offer cannot be used: the first condition that fails, as a code and one sentence, by the store's clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.cards.models import Card, Programme, Store
from app.counter import couponing
from app.coupons import batches
from app.coupons import service as coupons
from app.earning.sale import Basket, Line
from app.errors import Conflict, Unprocessable
from app.offers import grants, hours
from app.offers import service as offers
from app.offers.models import Offer
from app.segments.models import Segment
from app.world import World
from tests import factories
from tests.app.counter.shop import TILL
from tests.app.offers.desk import Desk, budget
from tests.conftest import MovableClock

FRIDAY = datetime(2026, 11, 13, 12, tzinfo=UTC)
BASKET = Basket(amount_minor=4_200)


def code(desk: Desk, offer: Offer, **over: Any) -> str:
    found = desk.refusal(offer, **over)
    return found.code if found else ""


def told(desk: Desk, offer: Offer, **over: Any) -> str:
    found = desk.refusal(offer, **over)
    return found.sentence if found else ""


def a_segment(desk: Desk, rules: dict[str, Any]) -> Segment:
    now = desk.world.clock()
    with desk.world.database.unit_of_work() as session:
        made = Segment(
            public_id=f"seg_{len(str(rules))}", programme_id=desk.programme.id, name=str(rules)[:50], rules=rules,
            created_by="staff:mary", created_at=now, changed_at=now,
        )  # fmt: skip
        session.add(made)
    return made


def test_every_condition_has_its_place_and_the_first_that_fails_is_the_reason(
    any_world: World, clock: MovableClock
) -> None:
    """All of them fail; then they are mended one after the other, and the next one is said."""
    desk = Desk(any_world)
    with any_world.database.unit_of_work() as session:
        programme = session.get_one(Programme, desk.programme.id)
        elsewhere = factories.store(session, programme, "Moda")
        gold = programme.tiers[1].id
    opening = clock() + timedelta(days=1)
    offer = desk.offer(
        kind="percent", terms={"percent": "10", "minimum": "50.00", "products": ["coffee"]}, starts_at=opening,
        ends_at=opening + timedelta(days=5), windows=[{"from": "15:00", "to": "17:00"}], stores=[elsewhere.id],
        tiers=[gold], limit_per_card=1, limit_total=1, budgets=[budget("uses", "day", 1)],
    )  # fmt: skip
    with any_world.database.unit_of_work() as session:
        session.get_one(Offer, offer.id).needs_code = True
    desk.do(lambda s: offers.pause(s, s.get_one(Offer, offer.id), now=clock()))
    at: dict[str, Any] = {"basket": BASKET}
    said = [code(desk, offer, **at)]

    def mended(**over: Any) -> None:
        at.update(over)
        said.append(code(desk, offer, **at))

    desk.do(lambda s: offers.resume(s, s.get_one(Offer, offer.id), now=clock()))
    mended()
    clock.at = opening
    mended(now=opening)
    mended(now=opening.replace(hour=13))  # 16:00 in Istanbul
    mended(store=elsewhere)
    with any_world.database.unit_of_work() as session:
        session.execute(update(Card).where(Card.id == desk.card.id).values(tier_id=gold))
        desk.card = session.get_one(Card, desk.card.id)
    mended()
    mended(basket=Basket(amount_minor=6_000, lines=(Line(number=1, amount_minor=6_000, product="tea"),)))
    coffee = Basket(amount_minor=6_000, lines=(Line(number=1, amount_minor=6_000, product="coffee"),))
    mended(basket=coffee)
    mended(has_code=True)

    assert said == [
        "paused", "not_started", "outside_hours", "wrong_store", "not_eligible", "min_spend", "product_missing",
        "code_needed", "",
    ]  # fmt: skip


def test_uses_of_the_card_come_before_those_of_all_and_those_before_the_budget(world: World) -> None:
    desk = Desk(world)
    once = desk.offer(kind="percent", terms={"percent": "10"}, limit_per_card=1, limit_total=1,
                      budgets=[budget("uses", "day", 1)])  # fmt: skip
    twice = desk.offer(kind="percent", terms={"percent": "10"}, limit_per_card=2, limit_total=2)
    total = desk.offer(kind="percent", terms={"percent": "10"}, limit_total=1, budgets=[budget("uses", "day", 1)])
    for offer in (once, twice, twice, total):
        assert desk.tried(offer) == ""

    assert [desk.tried(one) for one in (once, twice, total)] == ["already_used", "limit_reached", "budget_spent"]
    assert told(desk, twice) == "Used 2 times: that is all this card may."


def test_a_used_offer_says_when_and_where(world: World, clock: MovableClock) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="percent", terms={"percent": "10"}, limit_per_card=1)
    clock.at = datetime(2026, 11, 22, 9, 4, tzinfo=UTC)
    desk.use(offer)
    clock.advance(hours=3)

    assert told(desk, offer) == "Used 2026-11-22 12:04 at Kadıköy"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ([{"from": "15:00", "to": "17:00"}], "Valid 15–17 h."),
        ([{"from": "15:30", "to": "17:00"}], "Valid 15:30–17:00."),
        ([{"from": "08:00", "to": "10:00"}, {"from": "18:00", "to": "20:00"}], "Valid 08–10 h, 18–20 h."),
        ([{"weekdays": [7], "from": "10:00", "to": "12:00"}], "Valid again on 2026-11-15, 10–12 h."),
    ],
)
def test_outside_its_hours_an_offer_says_when_it_is_valid(
    world: World, clock: MovableClock, raw: list[dict[str, Any]], sentence: str
) -> None:
    clock.at = FRIDAY.replace(hour=10)  # 13:00 on Friday in Istanbul
    desk = Desk(world)
    offer = desk.offer(kind="text", windows=raw)

    assert (code(desk, offer), told(desk, offer)) == ("outside_hours", sentence)


def test_hours_are_those_of_the_store_s_wall_clock(any_world: World, clock: MovableClock) -> None:
    clock.at = FRIDAY.replace(hour=8, minute=30)  # 11:30 in Istanbul, 15:30 in Jakarta
    desk = Desk(any_world)
    with any_world.database.unit_of_work() as session:
        jakarta = factories.store(
            session, session.get_one(Programme, desk.programme.id), "Jakarta", timezone="Asia/Jakarta"
        )
    offer = desk.offer(kind="text", windows=[{"from": "15:00", "to": "17:00"}])

    assert (code(desk, offer), code(desk, offer, store=jakarta)) == ("outside_hours", "")


def test_grace_lets_the_queue_through_and_no_minute_more(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="percent", terms={"percent": "10"}, ends_at=clock() + timedelta(hours=1), grace_min=15)
    strict = desk.offer(kind="percent", terms={"percent": "10"}, ends_at=clock() + timedelta(hours=1))
    clock.advance(hours=1)
    desk.tick()
    assert desk.now_of(offer).state == "ended"

    assert (desk.tried(strict), desk.tried(offer)) == ("ended", "")
    clock.advance(minutes=15)
    assert desk.tried(offer) == "ended"


def test_grace_holds_for_weekly_hours_too(world: World, clock: MovableClock) -> None:
    clock.at = FRIDAY.replace(hour=13, minute=50)  # 16:50 in Istanbul
    desk = Desk(world)
    offer = desk.offer(kind="text", windows=[{"from": "15:00", "to": "17:00"}], grace_min=5)

    found = []
    for minutes in (0, 14, 1):
        clock.advance(minutes=minutes)
        found.append(code(desk, offer))
    assert found == ["", "", "outside_hours"]


def test_all_stores_friday_ten_o_clock_is_ten_by_each_store_s_own_clock(any_world: World, clock: MovableClock) -> None:
    clock.at = FRIDAY - timedelta(days=2)
    desk = Desk(any_world)
    zones = {"Istanbul": 7, "Jakarta": 3, "Makassar": 2, "Jayapura": 1}
    stores: dict[str, Store] = {}
    with any_world.database.unit_of_work() as session:
        programme = session.get_one(Programme, desk.programme.id)
        for name in zones:
            zone = f"{'Europe' if name == 'Istanbul' else 'Asia'}/{name}"
            stores[name] = factories.store(session, programme, name, timezone=zone)
    at_ten = datetime(2026, 11, 13, 7, tzinfo=UTC)
    offer = desk.offer(by_store=True, starts_at=at_ten, ends_at=at_ten + timedelta(days=1))

    kept = desk.now_of(offer)
    assert (kept.starts_at, kept.ends_at) == (at_ten - timedelta(hours=6), at_ten + timedelta(days=1))
    for name, hour in zones.items():
        at = datetime(2026, 11, 13, hour, tzinfo=UTC)
        clock.at = at - timedelta(seconds=1)
        assert code(desk, offer, store=stores[name]) == "not_started"
        clock.at = at
        assert code(desk, offer, store=stores[name]) == ""
        clock.at = at + timedelta(days=1)
        assert code(desk, offer, store=stores[name]) == "ended"


def test_one_national_minute_is_the_same_instant_everywhere(world: World, clock: MovableClock) -> None:
    desk = Desk(world)
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, desk.programme.id)
        far = factories.store(session, programme, "Jayapura", timezone="Asia/Jayapura")
    offer = desk.offer(starts_at=clock() + timedelta(minutes=1))

    assert (code(desk, offer), code(desk, offer, store=far)) == ("not_started", "not_started")
    clock.advance(minutes=1)
    assert (code(desk, offer), code(desk, offer, store=far)) == ("", "")


def test_a_targeted_offer_is_for_whom_it_was_given_and_for_their_own_time(
    any_world: World, clock: MovableClock
) -> None:
    """Whoever a campaign held back has no grant, and is refused like any stranger."""
    desk = Desk(any_world)
    offer = desk.offer(kind="percent", terms={"percent": "10"}, audience="targeted", grace_min=5)
    assert desk.tried(offer) == "not_eligible"

    mine = {"starts_at": clock() + timedelta(hours=1), "ends_at": clock() + timedelta(hours=3)}
    desk.do(lambda s: grants.give(s, s.get_one(Offer, offer.id), [desk.card.id], run_id=None, now=clock(), **mine))
    found = []
    for minutes in (0, 60, 124, 1):
        clock.advance(minutes=minutes)
        found.append(desk.tried(offer))
    assert found == ["not_started", "", "", "ended"]


def test_an_offer_for_a_segment_asks_at_the_till_who_is_in_it_now(any_world: World) -> None:
    desk = Desk(any_world)
    silver = a_segment(desk, {"all": []})
    offer = desk.offer(kind="percent", terms={"percent": "10"}, audience="segment", segment_id=silver.id)

    assert desk.tried(offer) == ""


def test_an_offer_with_codes_is_used_with_a_code_and_once_with_each(world: World) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="text", needs_code=True)
    draft = batches.BatchDraft(name="Flyer", gives="offer", subject=offer.public_id, size=1)
    desk.do(lambda s: batches.take_in(
        s, s.get_one(Programme, desk.programme.id), draft, ["7K3M9QX2TDS"], by="t", now=world.clock()
    ))  # fmt: skip
    with pytest.raises(Conflict, match="code_needed"):
        desk.redeem(offer)

    def with_code() -> None:
        desk.do(
            lambda s: couponing.redeem_code(
                s, desk.card, coupons.find(s, desk.programme.id, "7K3M-9QX2-TDS"), by=TILL, now=world.clock()
            )
        )

    with_code()
    with pytest.raises(Conflict, match="already_used"):
        with_code()


def test_what_depends_on_the_purchase_is_not_used_without_one(world: World) -> None:
    desk = Desk(world)
    for kind, terms in (
        ("bonus", {"points": 5}), ("percent", {"percent": "5", "minimum": "1.00"}), ("percent", {"percent": "5"}),
        ("gift", {"gift": "Tote bag", "minimum": "1.00"}),
    ):  # fmt: skip
        offer = desk.offer(kind=kind, terms=terms)
        with pytest.raises(Conflict, match="basket_needed"):
            desk.redeem(offer)
    assert desk.redeem(desk.offer(kind="gift", terms={"gift": "Tote bag"})).entry.kind == "offer"


@pytest.mark.parametrize(
    ("kind", "terms", "amount", "off", "cost"),
    [
        ("percent", {"percent": "20"}, 10_000, 2_000, 2_000),
        ("percent", {"percent": "20", "at_most": "5.00"}, 10_000, 500, 500),
        ("percent", {"percent": "20", "at_most": "5.00"}, None, 500, 500),
        ("amount", {"amount": "25.00"}, 1_000, 1_000, 1_000),
        ("amount", {"amount": "25.00"}, None, 2_500, 2_500),
        ("gift", {"gift": "Tote bag", "cost": "7.00", "minimum": "50.00"}, 5_000, None, 700),
        ("text", {}, None, None, 0),
    ],
)
def test_used_alone_an_offer_takes_off_what_the_amount_says_and_without_one_the_most_is_counted(
    world: World, kind: str, terms: dict[str, Any], amount: int | None, off: int | None, cost: int
) -> None:
    desk = Desk(world)
    offer = desk.offer(kind=kind, terms=terms, budgets=[budget("money", "all", 100_000)])

    used = desk.redeem(offer, amount)

    assert used.off_minor == off
    assert [one.cost_minor for one in desk.uses(offer)] == [cost]
    assert desk.used_of(offer) == {("money", "all"): cost}


@pytest.mark.parametrize(
    ("kind", "terms", "reason"),
    [
        ("bonus", {"points": 5}, "basket_needed"),
        ("product", {"products": ["tea"]}, "basket_needed"),
        ("percent", {"percent": "5", "minimum": "20.00"}, "min_spend"),
        ("percent", {"percent": "1"}, "adds_nothing"),
    ],
)
def test_used_alone_an_offer_that_does_nothing_for_this_amount_is_not_used_up(
    world: World, kind: str, terms: dict[str, Any], reason: str
) -> None:
    desk = Desk(world)
    offer = desk.offer(kind=kind, terms=terms)

    with pytest.raises(Conflict, match=reason):
        desk.redeem(offer, 10)
    assert desk.uses(offer) == []


@pytest.mark.parametrize(
    ("ends", "sentence"),
    [
        (timedelta(days=1), "The hours of this offer are over; it is not valid again before its end."),
        (timedelta(days=3, hours=1), "Valid again on 2026-11-16, 13–15 h."),
        (timedelta(days=40), "Valid again on 2026-11-16, 13–15 h."),
    ],
)
def test_no_day_after_its_end_is_named_for_an_offer(
    world: World, clock: MovableClock, ends: timedelta, sentence: str
) -> None:
    clock.at = FRIDAY.replace(day=9, hour=5)
    desk = Desk(world)
    raw = [{"weekdays": [1], "from": "13:00", "to": "15:00"}]
    offer = desk.offer(kind="text", windows=raw, ends_at=FRIDAY.replace(hour=10) + ends)
    clock.at = FRIDAY.replace(hour=10)  # 13:00 in Istanbul

    assert (code(desk, offer), told(desk, offer)) == ("outside_hours", sentence)


@pytest.mark.parametrize(
    "windows",
    [
        [{"weekdays": [1, 2, 3], "from": "10:00", "to": "12:00", "last_on": "2026-11-12"}],
        [{"last_on": "2026-11-11"}, {"last_on": "2026-11-12"}],
    ],
)
def test_hours_that_are_over_already_are_refused(
    world: World, clock: MovableClock, windows: list[dict[str, Any]]
) -> None:
    clock.at = FRIDAY
    desk = Desk(world)
    times = {"starts_at": FRIDAY - timedelta(days=9), "ends_at": FRIDAY + timedelta(days=30)}

    with pytest.raises(Unprocessable) as refused:
        desk.offer(windows=windows, **times)

    assert set(refused.value.errors) == {"windows.0"}
    assert desk.offer(windows=[*windows, {"weekdays": [6]}], **times).state == "scheduled", "some are still to come"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"ends_at": factories.NOW - timedelta(days=3), "starts_at": factories.NOW}, "ends_at"),
    ({"windows": [{"weekdays": []}]}, "windows.0.weekdays"),
    ({"windows": [{"weekdays": [8]}]}, "windows.0.weekdays"),
    ({"windows": [{"first_on": "2026-01-01", "last_on": "2026-01-02"}]}, "windows.0"),
    ({"windows": [{"from": "25:00"}]}, "windows.0.from"),
    ({"windows": [{"from": "10:00", "to": "10:00"}]}, "windows.0.to"),
    ({"windows": "always"}, "windows"),
    ({"stores": [999_999]}, "stores"),
    ({"kind": "percent", "terms": {"percent": "110"}}, "terms.percent"),
    ({"kind": "percent", "terms": {"percent": "0"}}, "terms.percent"),
    ({"kind": "percent", "terms": {"percent": "-5"}}, "terms.percent"),
    ({"kind": "percent", "terms": {}}, "terms.percent"),
    ({"kind": "percent", "terms": {"percent": "10", "amount": "5.00"}}, "terms.amount"),
    ({"kind": "percent", "terms": []}, "terms"),
    ({"kind": "amount", "terms": {"amount": "0"}}, "terms.amount"),
    ({"kind": "amount", "terms": {"amount": "1.234"}}, "terms.amount"),
    ({"kind": "product", "terms": {}}, "terms.products"),
    ({"kind": "multiplier", "terms": {"factor": "1"}}, "terms.factor"),
    ({"kind": "multiplier", "terms": {"factor": "1000"}}, "terms.factor"),
    ({"kind": "bonus", "terms": {"points": 0}}, "terms.points"),
    ({"kind": "bonus", "terms": {"points": "5"}}, "terms.points"),
    ({"kind": "gift", "terms": {}}, "terms.gift"),
    ({"kind": "magic"}, "kind"),
    ({"grace_min": 16}, "grace_min"),
    ({"grace_min": -1}, "grace_min"),
    ({"combines": "sometimes"}, "combines"),
    ({"audience": "friends"}, "audience"),
    ({"audience": "segment"}, "segment"),
    ({"segment_id": 5}, "segment"),
    ({"audience": "segment", "segment_id": 999_999}, "segment"),
    ({"tiers": [999_999]}, "segment"),
    ({"budgets": [budget("uses", "all", 0)]}, "budgets.0.most"),
    ({"budgets": [budget("beans", "all", 1)]}, "budgets.0.measure"),
    ({"budgets": [budget("uses", "year", 1)]}, "budgets.0.period"),
    ({"budgets": [budget("uses", "all", 1), budget("uses", "all", 2)]}, "budgets.1.period"),
    ({"timezone": "Mars/Olympus", "by_store": True}, "timezone"),
    ({"windows": [{"last_on": "9999-12-31"}]}, "windows.0.last_on"),
    ({"windows": [{"first_on": "1999-12-31"}]}, "windows.0.first_on"),
    ({"ends_at": datetime(9999, 12, 31, 23, 59, tzinfo=UTC), "by_store": True}, "ends_at"),
    ({"starts_at": datetime(1, 1, 1, tzinfo=UTC), "by_store": True}, "starts_at"),
    ({"needs_code": True, "kind": "bonus", "terms": {"points": 5}}, "needs_code"),
    ({"needs_code": True, "kind": "product", "terms": {"products": ["tea"]}}, "needs_code"),
    ({"needs_code": True, "kind": "gift", "terms": {"gift": "Mug", "categories": ["tea"]}}, "needs_code"),
]


@pytest.mark.parametrize(("over", "field"), BAD)
def test_what_cannot_be_given_is_refused_when_it_is_saved_with_the_field_named(
    world: World, over: dict[str, Any], field: str
) -> None:
    desk = Desk(world)

    with pytest.raises(Unprocessable) as refused:
        desk.offer(**over)

    assert set(refused.value.errors) == {field}


def test_a_window_wholly_in_the_past_is_refused(world: World, clock: MovableClock) -> None:
    desk = Desk(world)
    with pytest.raises(Unprocessable) as refused:
        desk.offer(starts_at=clock() - timedelta(days=2), ends_at=clock() - timedelta(days=1))
    assert set(refused.value.errors) == {"ends_at"}


def test_hours_that_run_over_midnight_are_open_on_both_sides_of_it(world: World, clock: MovableClock) -> None:
    raw = [{"weekdays": [5], "from": "22:00", "to": "02:00"}]
    for hour, is_open in ((18, False), (20, True), (22, True), (23, False)):  # UTC; Istanbul is three hours on
        assert hours.is_open(raw, FRIDAY.replace(hour=hour), "Europe/Istanbul") is is_open
