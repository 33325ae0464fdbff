"""Pages ask the database as often for many rows as for few."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from app.clock import milliseconds
from app.outbox import service as outbox
from app.outbox.models import SendLog
from app.staff import audit
from app.webhooks import endpoints
from app.world import World
from tests import factories
from tests.app.admin.conftest import Browser, Office

PAGES = (
    "/admin",
    "/admin/programmes",
    "/admin/programmes/kahve/stores",
    "/admin/programmes/kahve/rewards",
    "/admin/programmes/kahve/look",
    "/admin/staff",
    "/admin/deliveries",
    "/admin/certificates",
    "/admin/webhooks",
    "/admin/audit",
)


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements sent to the database meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(world.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(world.database.engine, "before_cursor_execute", note)


def crowd(office: Office) -> None:
    """Twelve more of everything."""
    world = office.world
    now = world.clock()
    now_ms = milliseconds(now)
    with world.database.unit_of_work() as session:
        sender = outbox.sender_for(session, "apple", "pass.com.example.kahve")
        programme = session.merge(office.programme)
        for number in range(12):
            other = factories.programme(session, slug=f"p-{number}", name=f"P {number}")
            factories.store(session, other)
            factories.store(session, programme, f"Store {number}")
            card = factories.card(session, programme, f"Member {number}")
            target = outbox.ensure_target(
                session, channel="apple", sender_id=sender.id, card_id=card.id, address_id=number, want=2, done=1,
                now_ms=now_ms,
            )  # fmt: skip
            session.add(
                SendLog(
                    target_id=target.id, card_id=card.id, channel="apple", version=1, outcome="refused", status=400,
                    reason="BadTopic", took_ms=1, lag_ms=1, at=now_ms,
                )
            )  # fmt: skip
            endpoints.create(
                session, url=f"https://shop{number}.example.com/", programme_id=programme.id, events=None,
                description="", now=now,
            )  # fmt: skip
            audit.record(session, actor=f"key:{number}", action="tested", subject=f"card:{number}", now=now)


def test_no_page_asks_more_often_for_more_rows(operator: Browser, certified: Office) -> None:
    certified.target(want=2)
    few = {page: _statements(operator, certified, page) for page in PAGES}
    crowd(certified)
    many = {page: _statements(operator, certified, page) for page in PAGES}

    assert many == pytest.approx(few, abs=1)


def _statements(browser: Browser, office: Office, page: str) -> int:
    with counted(office.world) as seen:
        assert browser.get(page).status_code == 200
    return len(seen)
