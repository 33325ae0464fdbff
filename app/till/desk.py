"""Where a cashier stands: the programme and the store of this till."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards.models import Programme, Store
from app.counter.moves import Actor
from app.errors import NotFound
from app.staff import guards
from app.staff.guards import StaffIdentity


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A place to stand, as the session remembers it; `store_id` null: the programme has no stores yet."""

    programme_id: int
    store_id: int | None


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Who stands where; `approved_by` names the manager who allowed the one action that is being done."""

    who: StaffIdentity
    programme: Programme
    store: Store | None
    approved_by: str = ""

    @property
    def actor(self) -> Actor:
        return Actor(name=self.who.actor, channel="till")

    @property
    def timezone(self) -> str:
        return self.store.timezone if self.store else self.programme.timezone

    @property
    def manages(self) -> bool:
        return bool(self.approved_by) or self.who.may("manager")

    @property
    def choice(self) -> Choice:
        return Choice(programme_id=self.programme.id, store_id=self.store.id if self.store else None)


def places(session: Session, who: StaffIdentity) -> list[Desk]:
    """Everywhere this person may stand: their own store, or the stores of their programme, or of all programmes."""
    query = select(Programme, Store).outerjoin(Store, Store.programme_id == Programme.id)
    if who.programme_id is not None:
        query = query.where(Programme.id == who.programme_id)
    if who.store_id is not None:
        query = query.where(Store.id == who.store_id)
    rows = session.execute(query.order_by(Programme.name, Store.name)).all()
    return [Desk(who=who, programme=programme, store=store) for programme, store in rows]


def desk_of(session: Session, who: StaffIdentity, chosen: Choice | None) -> Desk | None:
    """The place that was chosen, if it still exists and is allowed; else the only one there is; else None."""
    if chosen is not None and who.store_id in (None, chosen.store_id):
        programme = session.get(Programme, chosen.programme_id)
        store = session.get(Store, chosen.store_id) if chosen.store_id is not None else None
        if _fits(who, programme, store, chosen) and programme is not None:
            return Desk(who=who, programme=programme, store=store)
    found = places(session, who)
    return found[0] if len(found) == 1 else None


def _fits(who: StaffIdentity, programme: Programme | None, store: Store | None, chosen: Choice) -> bool:
    if programme is None or who.programme_id not in (None, programme.id):
        return False
    if chosen.store_id is None:
        return True
    return store is not None and store.programme_id == programme.id


def chosen(session: Session) -> Desk | None:
    """Where the till of this page stands; None while nobody has chosen."""
    kept = guards.till_place()
    return desk_of(session, guards.current_staff(), Choice(**kept) if kept else None)


def standing(session: Session) -> Desk:
    """As `chosen`.

    Raises: NotFound `no_store`.
    """
    here = chosen(session)
    if here is None:
        raise NotFound("no_store", "Choose your store first.")
    return here
