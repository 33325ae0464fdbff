"""A segment's members as a file for spreadsheets."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import select

from app.cards import people
from app.cards.models import Card, Member
from app.segments import service
from app.segments.rules import Rule
from app.world import World

AT_ONCE = 2_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def lines(world: World, programme_id: int, rule: Rule, *, with_people: bool, now: datetime) -> Iterator[str]:
    """The file, line by line: numbers of cards and, for those who may see people, who they are."""
    yield _line(["card", "member", "name", "email", "phone"] if with_people else ["card"])
    after = 0
    while True:
        with world.database.reading() as session:
            found = service.members(session, programme_id, rule, after=after, limit=AT_ONCE, now=now)
            sealed = {}
            if with_people and found:
                query = select(Card.id, Member).join(Member, Member.id == Card.member_id)
                rows = session.execute(query.where(Card.id.in_([one[0] for one in found])))
                sealed = {card: people.of(session, member) for card, member in rows}
        for card_id, number, member in found:
            row: list[str | None] = [number]
            if with_people:
                person = sealed[card_id]
                row += [member, person.name, person.email, person.phone]
            yield _line(row)
        if len(found) < AT_ONCE:
            return
        after = found[-1][0]


def _line(cells: Sequence[str | None]) -> str:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\r\n").writerow([safe(cell or "") for cell in cells])
    return sink.getvalue()


def safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
