"""Stamp cards: made, changed and ended; stamps given, and rewards of full cards used."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from app import money
from app.api import cards, listing, shapes, stamps_shapes
from app.api.calls import Body, Call, Operation, unknown
from app.cards.models import Programme, Store
from app.counter import stamping
from app.counter.stamping import Stamped
from app.errors import NotFound
from app.stamps import rules, service
from app.stamps.drafts import StampCardDraft
from app.stamps.models import StampCard


def create_stamp_card(call: Call) -> Body:
    """Make a stamp card."""
    body = dict(call.body)
    programme = call.programme(body.pop("programme"))
    made = service.create(call.session, _draft(call, programme, body), by=call.caller.actor, now=call.now)
    call.record("stamp_card_created", f"stamp_card:{made.public_id}", name=made.name, size=made.size)
    return _shape(call, made)


def list_stamp_cards(call: Call) -> Body:
    """The stamp cards that the key may see."""
    query = select(StampCard, Programme.public_id).join(Programme, Programme.id == StampCard.programme_id)
    return listing.answer(call, "stamp_cards", query, StampCard, lambda row, _owner: _shape(call, row))


def read_stamp_card(call: Call) -> Body:
    """One stamp card."""
    return _shape(call, named(call, call.path["stamp_card"]))


def change_stamp_card(call: Call) -> Body:
    """Say anew what a stamp card says."""
    row = named(call, call.path["stamp_card"])
    before = row.size
    service.change(call.session, row, _draft(call, row.programme, dict(call.body)), now=call.now)
    call.record("stamp_card_changed", f"stamp_card:{row.public_id}", name=row.name, size=row.size, size_before=before)
    return _shape(call, row)


def end_stamp_card(call: Call) -> Body:
    """Give no more stamps on it."""
    row = named(call, call.path["stamp_card"])
    service.end(call.session, row, now=call.now)
    call.record("stamp_card_ended", f"stamp_card:{row.public_id}")
    return _shape(call, row)


def read_stamps(call: Call) -> Body:
    """How a card stands on every stamp card."""
    card = cards.seen(call, call.path["number"])
    found = service.progress(call.session, card.member_id, card.programme_id, now=call.now)
    items = []
    for one in found:
        name, reward = service.words(one.stamp_card, card.member.language)
        items.append({
            "stamp_card": one.stamp_card.public_id,
            "name": name,
            "reward": reward,
            "stamps": one.stamps,
            "size": one.stamp_card.size,
            "vouchers": one.vouchers,
            "owed": one.owed,
            "shown": rules.drawn(one.stamps, one.stamp_card.size),
        })  # fmt: skip
    return {"items": items}


def give_stamps(call: Call) -> Body:
    """Give stamps by hand."""
    body, card = call.body, cards.held_card(call)
    store = cards.store_named(call, body["store"])
    done = stamping.stamp(
        call.session, card, named(call, body["stamp_card"]), body["count"], by=cards.actor(call), now=call.now,
        store=store, receipt=body["receipt"], is_manager=call.caller.scope == "admin",
    )  # fmt: skip
    return _stamped(done, store)


def use_voucher(call: Call) -> Body:
    """Use one reward of a full stamp card."""
    body, card = call.body, cards.held_card(call)
    store = cards.store_named(call, body["store"])
    done = stamping.redeem_voucher(
        call.session, card, named(call, body["stamp_card"]), by=cards.actor(call), now=call.now, store=store,
        receipt=body["receipt"],
    )  # fmt: skip
    return _stamped(done, store)


def named(call: Call, name: str) -> StampCard:
    """The stamp card of that id, if the key may see it.

    Raises: NotFound `unknown_stamp_card`.
    """
    try:
        found = service.by_id(call.session, name)
    except NotFound:
        raise unknown("stamp_card", name) from None
    if not call.caller.sees(found.programme_id):
        raise unknown("stamp_card", name)
    return found


def _draft(call: Call, programme: Programme, body: Mapping[str, Any]) -> StampCardDraft:
    names = body["stores"]
    query = select(Store).where(Store.public_id.in_(names), Store.programme_id == programme.id)
    found = {one.public_id: one for one in call.session.scalars(query)} if names else {}
    for name in names:
        if name not in found:
            raise unknown("store", name, field="stores")
    values = {**body, "stores": [found[name] for name in names], "item": body["item"] or ""}
    return StampCardDraft(programme=programme, **values)


def _shape(call: Call, row: StampCard) -> Body:
    currency = row.programme.currency
    stores = shapes.store_ids(call.session, set(row.stores))
    value = row.reward_value
    reward_value = None if value is None else str(value)
    if row.reward_kind == "amount_off" and value is not None:
        reward_value = money.decimal_text(value, currency)
    plain = (
        "name", "reward", "texts", "size", "gives", "item_kind", "item", "priority", "reward_kind",
        "stamps_live_days", "vouchers_live_days", "cool_down_min", "state",
    )  # fmt: skip
    return {
        "id": row.public_id,
        "programme": row.programme.public_id,
        **{name: getattr(row, name) for name in plain},
        "per": None if row.per_minor is None else money.decimal_text(row.per_minor, currency),
        "reward_value": reward_value,
        "stores": [stores[one] for one in row.stores if one in stores],
        "starts_at": shapes.moment(row.starts_at),
        "ends_at": shapes.moment(row.ends_at) if row.ends_at else None,
        "created_at": shapes.moment(row.created_at),
    }


def _stamped(done: Stamped, store: cards.NamedStore | None) -> Body:
    return {
        "transaction": cards.moved(done, store)["transaction"],
        "stamp_card": done.stamp_card.public_id,
        "stamps": done.stamps,
        "size": done.stamp_card.size,
        "rewards": done.rewards,
        "vouchers": done.vouchers,
        "warnings": list(done.warnings),
    }


OPERATIONS = (
    Operation(
        method="POST",
        rule="/stamp-cards",
        name="create_stamp_card",
        summary="Make a stamp card",
        description="From its start it stands on every card of the programme, with both wallets.",
        tag="stamp cards",
        scope="write",
        work=create_stamp_card,
        body=stamps_shapes.NewStampCard,
        answer=stamps_shapes.StampCard,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/stamp-cards",
        name="list_stamp_cards",
        summary="List stamp cards",
        tag="stamp cards",
        work=list_stamp_cards,
        query=stamps_shapes.PageOfStampCards,
        answer=stamps_shapes.StampCardPage,
    ),
    Operation(
        method="GET",
        rule="/stamp-cards/<stamp_card>",
        name="read_stamp_card",
        summary="Read a stamp card",
        tag="stamp cards",
        work=read_stamp_card,
        answer=stamps_shapes.StampCard,
    ),
    Operation(
        method="PUT",
        rule="/stamp-cards/<stamp_card>",
        name="change_stamp_card",
        summary="Change a stamp card",
        description="Its size stays once anybody has begun it: end it and make a new one instead.",
        tag="stamp cards",
        scope="write",
        work=change_stamp_card,
        body=stamps_shapes.StampCardChange,
        answer=stamps_shapes.StampCard,
    ),
    Operation(
        method="POST",
        rule="/stamp-cards/<stamp_card>/end",
        name="end_stamp_card",
        summary="End a stamp card",
        description="It gives no more stamps. Rewards that were reached stay usable.",
        tag="stamp cards",
        scope="write",
        work=end_stamp_card,
        answer=stamps_shapes.StampCard,
        refusals=(409,),
    ),
    Operation(
        method="GET",
        rule="/cards/<number>/stamps",
        name="read_stamps",
        summary="Read how a card stands on every stamp card",
        tag="stamp cards",
        work=read_stamps,
        answer=stamps_shapes.ProgressList,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/stamps",
        name="give_stamps",
        summary="Give stamps",
        description="Every full round becomes a reward at once. Undone as every transaction is.",
        tag="stamp cards",
        scope="write",
        work=give_stamps,
        body=stamps_shapes.NewStamps,
        answer=stamps_shapes.Stamped,
        status=201,
        moves_points=True,
    ),
    Operation(
        method="POST",
        rule="/cards/<number>/vouchers/redeem",
        name="use_voucher",
        summary="Use one reward of a full stamp card",
        tag="stamp cards",
        scope="write",
        work=use_voucher,
        body=stamps_shapes.VoucherUse,
        answer=stamps_shapes.Stamped,
        status=201,
        moves_points=True,
    ),
)
