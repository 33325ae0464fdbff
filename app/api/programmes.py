"""Programmes and their stores."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.api import incoming, listing, outgoing, paging, shapes
from app.api.calls import Body, Call, Operation
from app.cards import programmes
from app.cards.models import Programme, Store
from app.cards.programmes import ProgrammeDraft, TierDraft
from app.earning import versions
from app.errors import Forbidden


def create_programme(call: Call) -> Body:
    """Make a programme with its tiers and its look."""
    if call.caller.programme_id is not None:
        raise Forbidden("scope_too_small", "This key belongs to one programme, so it cannot make another.")
    programme = versions.create_programme(call.session, _draft(call.body), now=call.now)
    call.record("programme_created", f"programme:{programme.public_id}", slug=programme.slug)
    return shapes.programme(programme)


def read_programme(call: Call) -> Body:
    """One programme."""
    return shapes.programme(call.programme(call.path["programme"]))


def list_programmes(call: Call) -> Body:
    """The programmes that the key may see."""
    query = select(Programme).options(selectinload(Programme.tiers)).order_by(Programme.id)
    if call.caller.programme_id is not None:
        query = query.where(Programme.id == call.caller.programme_id)
    if call.query["cursor"]:
        query = query.where(Programme.id > int(paging.place_of(call.vault, "programmes", call.query["cursor"])))
    limit = call.query["limit"]
    found = list(call.session.scalars(query.limit(limit + 1)))
    items, following = paging.page(call.vault, "programmes", found, limit, place=lambda row: row.id)
    return paging.answer([shapes.programme(row) for row in items], following)


def create_store(call: Call) -> Body:
    """Add a store to a programme."""
    body = dict(call.body)
    programme = call.programme(body.pop("programme"))
    store = programmes.create_store(call.session, programme, now=call.now, **body)
    call.record("store_created", f"store:{store.public_id}", programme=programme.public_id)
    return shapes.store(store, programme.public_id)


def list_stores(call: Call) -> Body:
    """The stores that the key may see."""
    query = select(Store, Programme.public_id).join(Programme, Programme.id == Store.programme_id)
    return listing.answer(call, "stores", query, Store, shapes.store)


def _draft(body: Body) -> ProgrammeDraft:
    values: dict[str, Any] = {**body, "description": body["description"] or ""}
    earn = values.pop("earn")
    values["tiers"] = [TierDraft(**tier) for tier in body["tiers"]]
    if earn:
        values.update(earn_points=earn["points"], earn_per=earn["per"])
    return ProgrammeDraft(**values)


OPERATIONS = (
    Operation(
        method="POST",
        rule="/programmes",
        name="create_programme",
        summary="Make a programme",
        tag="programmes",
        scope="admin",
        work=create_programme,
        body=incoming.NewProgramme,
        answer=outgoing.Programme,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/programmes",
        name="list_programmes",
        summary="List programmes",
        tag="programmes",
        work=list_programmes,
        query=incoming.Page,
        answer=outgoing.ProgrammePage,
    ),
    Operation(
        method="GET",
        rule="/programmes/<programme>",
        name="read_programme",
        summary="Read a programme by its id or slug",
        tag="programmes",
        work=read_programme,
        answer=outgoing.Programme,
    ),
    Operation(
        method="POST",
        rule="/stores",
        name="create_store",
        summary="Add a store",
        tag="stores",
        scope="write",
        work=create_store,
        body=incoming.NewStore,
        answer=outgoing.Store,
        status=201,
    ),
    Operation(
        method="GET",
        rule="/stores",
        name="list_stores",
        summary="List stores",
        tag="stores",
        work=list_stores,
        query=incoming.PageOfProgramme,
        answer=outgoing.StorePage,
    ),
)
