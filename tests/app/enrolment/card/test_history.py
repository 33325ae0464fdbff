"""The history on my card: each line opens to its reason."""

import re

from app.cards.models import Card, Programme
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.earning import service as earning
from app.enrolment.card import history
from app.ledger import held
from app.world import World
from tests import factories
from tests.app.enrolment.visitor import Visitor

RULES = {
    "rules": [
        {"kind": "amount", "name": "Purchases", "points": 1, "per": "10.00"},
        {"kind": "multiplier", "name": "Bahar", "factor": "2", "no_end": True},
        {"kind": "cap", "name": "Daily", "points": 30, "per": "day"},
    ],
    "expiry": {"policy": "rolling", "days": 30},
}


def sold(world: World, kahve: Programme, amounts: list[int]) -> Card:
    now = world.clock()
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, kahve.id)
        earning.publish(session, programme, RULES, starts_at=None, note="", by="test", now=now)
        card = factories.card(session, programme, language="tr")
    for amount_minor in amounts:
        with world.database.unit_of_work() as session:
            sale = Sale(amount_minor=amount_minor, currency="TRY")
            by = Actor(name="staff:1", channel="till")
            sales.earn(session, held.by_id(session, card.id), sale, by=by, now=now)
    return card


def test_each_line_opens_to_why_it_is_as_much_as_it_is(visitor: Visitor, world: World, kahve: Programme) -> None:
    card = sold(world, kahve, [17_800])

    english = visitor.open(f"/c/{card.link}?lang=en").text
    turkish = visitor.open(f"/c/{card.link}").text

    assert "Points for the purchase; 2× points: Bahar; At most 30 points in a day" in english
    assert "<dt>Can be used until</dt><dd>20 Dec 2026</dd>" in english
    assert "<dt>Rules</dt><dd>version 2</dd>" in english
    assert "<dt>Balance after it</dt><dd>30</dd>" in english
    assert "Bahar" in turkish
    assert "Points for the purchase" not in turkish


def test_older_lines_are_a_step_away(visitor: Visitor, world: World, kahve: Programme) -> None:
    card = sold(world, kahve, [1_000] * (history.LINES + 2))

    first = visitor.open(f"/c/{card.link}?lang=en").text
    [link] = re.findall(r'href="([^"]*before=\d+)', first)
    second = visitor.open(link + "&lang=en").text

    assert first.count("Balance after it") == history.LINES
    assert second.count("Balance after it") == 2
    assert "Show earlier ones" not in second
    assert visitor.open(f"/c/{card.link}?before=nonsense").status_code == 200
