"""Batches of unique codes: made or brought in, read once, called back."""

from collections.abc import Iterable

from sqlalchemy import select

from app.api import coupons_shapes, incoming, listing, paging, shapes
from app.api.calls import Body, Call, Operation, unknown
from app.api.offers import offer_named
from app.api.rewards import named, store_rows
from app.cards.models import Programme
from app.coupons import batches, codes, exchange
from app.coupons.batches import CHUNK, BatchDraft
from app.coupons.models import Batch
from app.errors import Unprocessable
from app.offers import drafts


def create_batch(call: Call) -> Body:
    """Ask for codes, or bring codes in; few are there at once, many are made within seconds."""
    body = call.body
    programme = call.programme(body["programme"])
    own = _own_codes(body["codes"]) if "codes" in body else None
    draft = BatchDraft(
        name=body["name"],
        size=body["size"] if own is None else len(own),
        points=body.get("points", 0),
        stores=store_rows(call, programme, body["stores"]),
        starts_at=body["starts_at"],
        ends_at=body["ends_at"],
        **_gives(call, programme),
    )
    if own is None:
        batch = batches.ask(call.session, programme, draft, by=call.caller.actor, now=call.now)
        if batch.size <= CHUNK:
            batches.make_chunk(call.session, batch.id)
    else:
        _check_new(call, programme, own)
        batch = batches.take_in(call.session, programme, draft, own, by=call.caller.actor, now=call.now)
    call.record("codes_made", f"batch:{batch.public_id}", size=batch.size, gives=batch.gives)
    return _answered(call, [(batch, programme.public_id)])[0]


def list_batches(call: Call) -> Body:
    """The batches that the key may see."""
    query = select(Batch, Programme.public_id).join(Programme, Programme.id == Batch.programme_id)
    found, following = listing.rows(call, "coupon_batches", query, Batch)
    return {"items": _answered(call, [(row[0], row[1]) for row in found]), "next": following}


def read_batch(call: Call) -> Body:
    """How far a batch is, and how many of its codes were used."""
    return _answered(call, [_named(call)])[0]


def read_codes(call: Call) -> Body:
    """The codes themselves, page by page, until they are forgotten."""
    batch, _ = _named(call)
    name, cursor = f"codes:{batch.id}", call.query["cursor"]
    after = int(paging.place_of(call.vault, name, cursor)) if cursor else -1
    limit = call.query["limit"]
    found = exchange.page(call.session, batch, after=after, limit=limit + 1)
    items, following = paging.page(call.vault, name, found, limit, place=lambda row: row[0])
    return paging.answer([exchange.dashed(code) for _, code in items], following)


def forget_codes(call: Call) -> Body:
    """You have the codes; from now on nobody else can read them."""
    batch, owner = _named(call)
    exchange.check_exportable(batch)
    exchange.forget(call.session, batch, now=call.now)
    call.record("codes_forgotten", f"batch:{batch.public_id}")
    return _answered(call, [(batch, owner)])[0]


def revoke_batch(call: Call) -> Body:
    """Call back every code of a batch that is not used yet."""
    batch, owner = _named(call)
    if batches.revoke(call.session, batch, now=call.now):
        call.record("codes_revoked", f"batch:{batch.public_id}")
    return _answered(call, [(batch, owner)])[0]


def _gives(call: Call, programme: Programme) -> Body:
    if "reward" in call.body:
        reward, _ = named(call, call.body["reward"])
        if reward.programme_id != programme.id:
            raise unknown("reward", call.body["reward"])
        return {"gives": "reward", "subject": reward.public_id}
    if "offer" in call.body:
        offer = offer_named(call, call.body["offer"])
        if offer.programme_id != programme.id:
            raise unknown("offer", call.body["offer"])
        drafts.check_codes(offer, field="offer")
        return {"gives": "offer", "subject": offer.public_id}
    return {"gives": "points"}


def _own_codes(sent: list[str]) -> list[str]:
    """Each as it is kept, and once.

    Raises: Unprocessable `invalid_code` naming the first faulty ones by their place.
    """
    found: dict[str, int] = {}
    errors: dict[str, str] = {}
    for place, text in enumerate(sent):
        code = codes.normalise(text)
        if code is None:
            errors[f"codes.{place}"] = exchange.why_not(text)
        elif code in found:
            errors[f"codes.{place}"] = f"This is the same as codes.{found[code]}."
        else:
            found[code] = place
    _refuse(errors)
    return list(found)


def _check_new(call: Call, programme: Programme, own: list[str]) -> None:
    taken = batches.taken(call.session, programme.id, own)
    _refuse({f"codes.{place}": "This code is in use already." for place, code in enumerate(own) if code in taken})


def _refuse(errors: dict[str, str]) -> None:
    if errors:
        first = dict(list(errors.items())[:20])
        raise Unprocessable("invalid_code", f"{len(errors)} codes cannot be taken.", errors=first)


def _named(call: Call) -> tuple[Batch, str]:
    name = call.path["batch"]
    query = select(Batch, Programme.public_id).join(Programme, Programme.id == Batch.programme_id)
    row = call.session.execute(query.where(Batch.public_id == name)).one_or_none()
    if row is None or not call.caller.sees(row[0].programme_id):
        raise unknown("batch", name)
    return row[0], row[1]


def _answered(call: Call, rows: Iterable[tuple[Batch, str]]) -> list[Body]:
    rows = list(rows)
    used = batches.used_counts(call.session, [batch.id for batch, _ in rows])
    stores = shapes.store_ids(call.session, {one for batch, _ in rows for one in batch.stores})
    return [_shape(batch, owner, used.get(batch.id, 0), stores) for batch, owner in rows]


def _shape(row: Batch, owner: str, used: int, stores: dict[int, str]) -> Body:
    return {
        "id": row.public_id,
        "programme": owner,
        "name": row.name,
        "reward": row.subject if row.gives == "reward" else None,
        "points": row.points if row.gives == "points" else None,
        "offer": row.subject if row.gives == "offer" else None,
        "stores": sorted(stores[one] for one in row.stores if one in stores),
        "size": row.size,
        "made": row.made,
        "used": used,
        "state": row.state,
        "is_readable": row.seed is not None and row.state == "ready",
        "starts_at": shapes.moment(row.starts_at) if row.starts_at else None,
        "ends_at": shapes.moment(row.ends_at) if row.ends_at else None,
        "created_at": shapes.moment(row.created_at),
        "revoked_at": shapes.moment(row.revoked_at) if row.revoked_at else None,
    }


OPERATIONS = (
    Operation(
        method="POST",
        rule="/coupon-batches",
        name="create_coupon_batch",
        summary="Make unique codes, or bring your own in",
        description="Exactly one of size and codes; exactly one of reward, points and offer. Each code works once.",
        tag="coupons",
        scope="write",
        work=create_batch,
        body=coupons_shapes.NewCouponBatch,
        answer=coupons_shapes.CouponBatch,
        status=201,
        refusals=(409,),
    ),
    Operation(
        method="GET",
        rule="/coupon-batches",
        name="list_coupon_batches",
        summary="List batches of unique codes",
        tag="coupons",
        work=list_batches,
        query=incoming.PageOfProgramme,
        answer=coupons_shapes.CouponBatchPage,
    ),
    Operation(
        method="GET",
        rule="/coupon-batches/<batch>",
        name="read_coupon_batch",
        summary="Read a batch: how far it is, how many codes were used",
        tag="coupons",
        work=read_batch,
        answer=coupons_shapes.CouponBatch,
    ),
    Operation(
        method="GET",
        rule="/coupon-batches/<batch>/codes",
        name="read_coupon_codes",
        summary="Read the codes of a batch, until they are forgotten",
        tag="coupons",
        scope="write",
        work=read_codes,
        query=incoming.Page,
        answer=coupons_shapes.CouponCodes,
        refusals=(409,),
    ),
    Operation(
        method="POST",
        rule="/coupon-batches/<batch>/forget",
        name="forget_coupon_codes",
        summary="Forget the codes of a batch: they work, but nobody can read them any more",
        tag="coupons",
        scope="write",
        work=forget_codes,
        body=incoming.Nothing,
        answer=coupons_shapes.CouponBatch,
    ),
    Operation(
        method="POST",
        rule="/coupon-batches/<batch>/revoke",
        name="revoke_coupon_batch",
        summary="Call back every code of a batch that is not used yet",
        tag="coupons",
        scope="write",
        work=revoke_batch,
        body=incoming.Nothing,
        answer=coupons_shapes.CouponBatch,
    ),
)
