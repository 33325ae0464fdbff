"""The catalogue of rewards: read, added, changed, ended; dates of experiences, bookings, and goals."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app import money
from app.api import cards, incoming, listing, outgoing, rewards_shapes, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards.models import Card, Programme, Store, Tier
from app.counter import visiting
from app.errors import NotFound
from app.ledger.held import POINTS
from app.rewards import catalogue, service, slots
from app.rewards.catalogue import RewardDraft
from app.rewards.models import Reward, Slot, Taking
from app.stamps.models import StampCard

MONEY = {"value": "value_minor", "min_spend": "min_spend_minor"}


def create_reward(call: Call) -> Body:
    """Put something into the catalogue."""
    body = dict(call.body)
    programme = call.programme(body.pop("programme"))
    _check_unit(call, programme, body.get("unit", POINTS))
    draft = RewardDraft(**_values(call, programme, body))
    reward = catalogue.add(call.session, programme, draft, now=call.now)
    call.record("reward_created", f"reward:{reward.public_id}", points=reward.points, kind=reward.kind)
    return answered(call, [(reward, programme)])[0]


def list_rewards(call: Call) -> Body:
    """The rewards that the key may see."""
    query = select(Reward, Programme).join(Programme, Programme.id == Reward.programme_id)
    found, following = listing.rows(call, "rewards", query, Reward)
    return {"items": answered(call, [(row[0], row[1]) for row in found]), "next": following}


def read_reward(call: Call) -> Body:
    """One reward."""
    return answered(call, [named(call, call.path["reward"])])[0]


def change_reward(call: Call) -> Body:
    """Change what is sent of a reward, and nothing else."""
    reward, programme = named(call, call.path["reward"])
    body = dict(call.body)
    moved_by, counts = body.pop("stock_change", None), "stock" in body
    stock = body.pop("stock", None)
    draft = replace(catalogue.as_draft(reward), **_values(call, programme, body))
    before = answered(call, [(reward, programme)])[0]
    catalogue.change(call.session, programme, reward, draft, now=call.now)
    if counts:
        catalogue.count_stock(call.session, reward, stock=stock)
    if moved_by:
        catalogue.restock(call.session, reward, by=moved_by)
    after = answered(call, [(reward, programme)])[0]
    changed = {name: value for name, value in after.items() if before[name] != value}
    if changed:
        call.record("reward_changed", f"reward:{reward.public_id}", **changed)
    return after


def end_reward(call: Call) -> Body:
    """Take a reward out of the catalogue; what was redeemed stays."""
    reward, programme = named(call, call.path["reward"])
    _, was_active = catalogue.end(call.session, programme, reward.public_id, now=call.now)
    call.session.refresh(reward)
    if was_active:
        call.record("reward_ended", f"reward:{reward.public_id}")
    return answered(call, [(reward, programme)])[0]


def create_slot(call: Call) -> Body:
    """Offer a date of an experience."""
    reward, _ = named(call, call.path["reward"])
    slot = slots.add(call.session, reward, **call.body, now=call.now)
    call.record("slot_added", f"slot:{slot.public_id}", reward=reward.public_id, capacity=slot.capacity)
    return slot_shape(slot, call.now)


def list_slots(call: Call) -> Body:
    """The dates of an experience, soonest first."""
    reward, _ = named(call, call.path["reward"])
    return {"items": [slot_shape(one, call.now) for one in catalogue.slots(call.session, reward.id)]}


def call_off_slot(call: Call) -> Body:
    """Call a date off; who booked it gets the price back within minutes."""
    reward, _ = named(call, call.path["reward"])
    slot = slots.by_public_id(call.session, reward, call.path["slot"])
    slots.call_off(call.session, slot, now=call.now)
    call.record("slot_called_off", f"slot:{slot.public_id}", reward=reward.public_id)
    return slot_shape(slot, call.now)


def list_bookings(call: Call) -> Body:
    """What a card has taken and still has to pick up or come to."""
    card = cards.seen(call, call.path["number"])
    found = service.to_collect(call.session, card.id, now=call.now)
    return {"items": [_booking(*one) for one in found]}


def cancel_booking(call: Call) -> Body:
    """Give a place up; its price comes back."""
    taking = _own_taking(call)
    done = visiting.cancel(call.session, taking.public_id, by=cards.actor(call), now=call.now)
    return cards.moved(done, None)


def collect_booking(call: Call) -> Body:
    """Hand out what was taken, or let the member in: once."""
    taking = _own_taking(call)
    store = cards.store_named(call, call.body["store"])
    visiting.collect(call.session, taking.public_id, store=store, now=call.now)
    return booking_shape(call, taking)


def choose_goal(call: Call) -> Body:
    """What a card saves for; its face shows how far it is."""
    card = cards.held_card(call)
    if call.body["reward"] is None:
        visiting.drop_goal(call.session, card, now=call.now)
        return {"reward": None, "name": None, "has": card.balance, "needs": None, "keeps_until": None}
    reward, _ = named(call, call.body["reward"])
    goal = visiting.choose_goal(call.session, card, reward, by=cards.actor(call), now=call.now)
    return {
        "reward": reward.public_id,
        "name": reward.name,
        "has": card.balance,
        "needs": reward.points,
        "keeps_until": shapes.moment(goal.keeps_until) if goal.keeps_until else None,
    }


def named(call: Call, name: str) -> tuple[Reward, Programme]:
    """The reward of that id with its programme, if the key may see it.

    Raises: NotFound `unknown_reward`.
    """
    query = select(Reward, Programme).join(Programme, Programme.id == Reward.programme_id)
    row = call.session.execute(query.where(Reward.public_id == name)).one_or_none()
    if row is None or not call.caller.sees(row[1].id):
        raise unknown("reward", name)
    return row[0], row[1]


def store_rows(call: Call, programme: Programme, names: Collection[str]) -> list[int]:
    """Rows of stores by their ids; one of another programme does not exist here.

    Raises: NotFound `unknown_store`.
    """
    query = select(Store.public_id, Store.id).where(Store.public_id.in_(names), Store.programme_id == programme.id)
    found = {row.public_id: row.id for row in call.session.execute(query)}
    for name in names:
        if name not in found:
            raise unknown("store", name, field="stores")
    return list(found.values())


def answered(call: Call, rows: Iterable[tuple[Reward, Programme]]) -> list[Body]:
    """Rewards as the API shows them; the stores of all are looked up in one statement."""
    rows = list(rows)
    names = shapes.store_ids(call.session, {one for reward, _ in rows for one in reward.stores})
    return [_shape(reward, programme, names) for reward, programme in rows]


def booking_shape(call: Call, taking: Taking) -> Body:
    """One booking."""
    reward = call.session.get_one(Reward, taking.reward_id)
    slot = call.session.get_one(Slot, taking.slot_id) if taking.slot_id is not None else None
    return _booking(taking, reward, slot)


def slot_shape(slot: Slot, now: datetime) -> Body:
    state = "called_off" if slot.cancelled else "over" if slot.ends_at <= now else "open"
    return {
        "id": slot.public_id,
        "starts_at": shapes.moment(slot.starts_at),
        "ends_at": shapes.moment(slot.ends_at),
        "capacity": slot.capacity,
        "free": slot.capacity - slot.taken if state == "open" else 0,
        "state": state,
    }


def _booking(taking: Taking, reward: Reward, slot: Slot | None) -> Body:
    return {
        "id": taking.public_id,
        "reward": reward.public_id,
        "name": reward.name,
        "state": taking.state,
        "slot": slot.public_id if slot else None,
        "starts_at": shapes.moment(slot.starts_at) if slot else None,
        "ends_at": shapes.moment(slot.ends_at) if slot else None,
        "collected_at": shapes.moment(taking.collected_at) if taking.collected_at else None,
    }


def _own_taking(call: Call) -> Taking:
    """The booking of the address, if the key may see its card.

    Raises: NotFound `unknown_booking`.
    """
    name = call.path["booking"]
    try:
        taking = service.taking_by_public_id(call.session, name)
    except NotFound:
        raise unknown("booking", name) from None
    if not call.caller.sees(call.session.get_one(Card, taking.card_id).programme_id):
        raise unknown("booking", name)
    return taking


def _check_unit(call: Call, programme: Programme, unit: str) -> None:
    kind, _, name = unit.partition(":")
    if kind != "voucher":
        return
    query = select(StampCard.id).where(StampCard.public_id == name, StampCard.programme_id == programme.id)
    if call.session.scalar(query) is None:
        raise unknown("stamp_card", name, field="unit")


def _values(call: Call, programme: Programme, body: Body) -> dict[str, Any]:
    """What was sent, in the words of a draft."""
    values = {name: value for name, value in body.items() if name not in MONEY}
    for name, column in MONEY.items():
        if name in body:
            text = body[name]
            values[column] = None if text is None else money.minor_units(text, programme.currency, field=name)
    if "stores" in values:
        values["stores"] = store_rows(call, programme, values["stores"])
    if "tiers" in values:
        values["tiers"] = [_tier(programme, one).id for one in values["tiers"]]
    if "cancel_before_hours" in values:
        values["cancel_before_h"] = values.pop("cancel_before_hours")
    return values


def _tier(programme: Programme, name: str) -> Tier:
    found = next((one for one in programme.tiers if name in {shapes.tier_id(one.id), one.name}), None)
    if found is None:
        raise unknown("tier", name, field="tiers")
    return found


def _shape(row: Reward, programme: Programme, stores: dict[int, str]) -> Body:
    def amount(minor: int | None) -> str | None:
        return None if minor is None else money.decimal_text(minor, programme.currency)

    same = (
        "kind", "name", "points", "texts", "about", "about_texts", "flexible", "max_share", "needs_pieces",
        "needs_product", "pick_up", "limit_per_member", "limit_per_member_day", "limit_total", "limit_per_day", "used",
        "stock", "no_show", "goal_days", "active",
    )  # fmt: skip
    return {
        "id": row.public_id,
        "programme": programme.public_id,
        **{name: getattr(row, name) for name in same},
        "unit": row.unit or None,
        "value": amount(row.value_minor),
        "min_spend": amount(row.min_spend_minor),
        "starts_at": shapes.moment(row.starts_at) if row.starts_at else None,
        "ends_at": shapes.moment(row.ends_at) if row.ends_at else None,
        "stores": sorted(stores[one] for one in row.stores if one in stores),
        "tiers": [shapes.tier_id(one) for one in row.tiers],
        "cancel_before_hours": row.cancel_before_h,
        "created_at": shapes.moment(row.created_at),
    }


def _operation(method: str, rule: str, name: str, summary: str, **more: Any) -> Operation:
    scope = "read" if method == "GET" else "write"
    return Operation(method=method, rule=rule, name=name, summary=summary, tag="rewards", scope=scope, **more)


OPERATIONS = (
    _operation(
        "POST", "/rewards", "create_reward", "Add a reward", work=create_reward, body=rewards_shapes.NewReward,
        answer=rewards_shapes.Reward, status=201,
        description="Without points it is given on its condition, which `about` or `needs_pieces` says.",
    ),
    _operation(
        "GET", "/rewards", "list_rewards", "List rewards", work=list_rewards, query=incoming.PageOfProgramme,
        answer=rewards_shapes.RewardPage,
    ),
    _operation(
        "GET", "/rewards/<reward>", "read_reward", "Read a reward", work=read_reward, answer=rewards_shapes.Reward
    ),
    _operation(
        "PATCH", "/rewards/<reward>", "change_reward", "Change a reward", work=change_reward,
        body=rewards_shapes.RewardChange, answer=rewards_shapes.Reward, refusals=(409,),
        description="What is held keeps its price. A stock that is counted is moved by stock_change alone.",
    ),
    _operation(
        "POST", "/rewards/<reward>/end", "end_reward", "Take a reward out of the catalogue", work=end_reward,
        body=incoming.Nothing, answer=rewards_shapes.Reward,
    ),
    _operation(
        "POST", "/rewards/<reward>/slots", "create_slot", "Offer a date of an experience", work=create_slot,
        body=rewards_shapes.NewSlot, answer=rewards_shapes.Slot, status=201,
    ),
    _operation(
        "GET", "/rewards/<reward>/slots", "list_slots", "List the dates of an experience", work=list_slots,
        answer=rewards_shapes.Slots,
    ),
    _operation(
        "POST", "/rewards/<reward>/slots/<slot>/call_off", "call_off_slot", "Call a date off", work=call_off_slot,
        body=incoming.Nothing, answer=rewards_shapes.Slot,
    ),
    _operation(
        "GET", "/cards/<number>/bookings", "list_bookings", "List what a card has to pick up or to come to",
        work=list_bookings, answer=rewards_shapes.Bookings,
    ),
    _operation(
        "POST", "/bookings/<booking>/cancel", "cancel_booking", "Give a place up", work=cancel_booking,
        body=incoming.Nothing, answer=outgoing.Moved, status=201, moves_points=True,
    ),
    _operation(
        "POST", "/bookings/<booking>/collect", "collect_booking", "Hand out what was taken, or let the member in",
        work=collect_booking, body=rewards_shapes.Collection, answer=rewards_shapes.Booking,
    ),
    _operation(
        "POST", "/cards/<number>/goal", "choose_goal", "Choose what a card saves for", work=choose_goal,
        body=rewards_shapes.NewGoal, answer=rewards_shapes.Goal,
    ),
)  # fmt: skip
