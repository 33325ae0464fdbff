"""One page of rows that belong to programmes, oldest first."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select

from app.api import paging
from app.api.calls import Body, Call


def rows(call: Call, name: str, query: Select[*tuple[Any, ...]], model: type[Any]) -> tuple[list[Any], str | None]:
    """The page that the call asks for, each row as selected (the model first), and the cursor of the next."""
    programme_id = call.caller.programme_id
    if call.query.get("programme"):
        programme_id = call.programme(call.query["programme"]).id
    if programme_id is not None:
        query = query.where(model.programme_id == programme_id)
    if call.query["cursor"]:
        query = query.where(model.id > int(paging.place_of(call.vault, name, call.query["cursor"])))
    limit = call.query["limit"]
    found = call.session.execute(query.order_by(model.id).limit(limit + 1)).all()
    items, following = paging.page(call.vault, name, found, limit, place=lambda row: row[0].id)
    return list(items), following


def answer(
    call: Call, name: str, query: Select[*tuple[Any, ...]], model: type[Any], shape: Callable[..., Body]
) -> Body:
    """The page with each row in its shape."""
    found, following = rows(call, name, query, model)
    return paging.answer([shape(*row) for row in found], following)
