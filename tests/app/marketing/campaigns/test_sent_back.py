"""A kept campaign's page, sent back as it was opened, changes nothing; and its sentence tells all that is kept."""

import html
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from app.campaigns import drafting, policy, service
from app.campaigns.drafting import NO_QUIET, Draft
from app.cards.models import Programme, Store
from app.offers.models import Offer
from app.segments import service as segments
from app.segments.models import Segment
from app.segments.service import SegmentDraft
from tests import factories
from tests.app.campaigns.crowd import GOAL, WORDS, an_offer
from tests.app.marketing.shop import Shop

MONDAY, LAST_OF_JANUARY = "2026-11-23T10:00", "2027-01-31T08:15"
RHYTHMS: list[tuple[str, dict[str, Any]]] = [
    (MONDAY, {"every": "week", "interval": 2, "count": 3}),
    (MONDAY, {"every": "week", "weekdays": [1, 3, 7], "interval": 52, "until": "2028-12-31", "count": 1000}),
    (MONDAY, {"every": "day"}),
    (MONDAY, {"every": "day", "interval": 366, "count": 1}),
    (MONDAY, {"every": "day", "weekdays": [2, 4], "day": 31}),
    (MONDAY, {"every": "week", "day": 5}),
    (LAST_OF_JANUARY, {"every": "month", "interval": 3, "day": 31, "until": "2028-01-31"}),
    (LAST_OF_JANUARY, {"every": "month", "weekdays": [6], "count": 12}),
    ("2027-02-10T10:00", {"every": "year", "day": 31, "interval": 2, "count": 5}),
    ("2026-11-23T10:00:30", {"every": "week"}),
]
TRIGGERS: list[dict[str, Any]] = [
    {"on": "welcome", "valid_days": 3},
    {"on": "near_reward", "stamps": 3, "percent": 25, "at": "17:30", "valid_days": 9},
    {"on": "milestone", "visits": 10_000, "at": "09:05", "valid_days": 365},
    {"on": "tier_reached", "at": "12:00", "valid_days": 1},
    {"on": "tier_ending", "days": 180, "at": "12:00", "valid_days": 2},
    {"on": "points_expiring", "days": [90, 14, 3], "least": 1_000_000_000, "at": "12:00", "valid_days": 30},
    {"on": "win_back", "days": [45, 730], "at": "19:45", "valid_days": 20},
    {"on": "birthday", "days_before": 14, "at": "00:00", "valid_days": 28},
    {"on": "thanks", "minutes": 0, "rest_days": 0, "valid_days": 5},
    {"on": "occasion", "calendar": "tr", "day": "teachers_day", "days_before": 60, "at": "08:00", "valid_days": 4},
    {"on": "occasion", "calendar": "tr", "day": "teachers_day", "name": "Our own word for it"},
    {"on": "occasion", "calendar": "own", "name": "Harvest", "dates": ["2026-12-01", "2027-12-01"], "days_before": 3},
    {"on": "occasion", "dates": [f"2027-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 6)]},
]


class Sent(HTMLParser):
    """What a browser sends of a page's campaign form: every field that has a name and is not a button."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._is_inside = False
        self._select = self._text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = has.get("id") == "campaign"
        elif self._is_inside and tag in {"input", "select", "textarea", "option"}:
            self._field(tag, has)

    def handle_data(self, data: str) -> None:
        if self._text:
            self.fields[self._text] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        elif tag == "textarea":
            self._text = ""

    def _field(self, tag: str, has: Mapping[str, str]) -> None:
        if tag == "option":
            if "selected" in has or self._select not in self.fields:
                self.fields[self._select] = has.get("value", "")
        elif tag == "select":
            self._select = has["name"]
        elif tag == "textarea":
            self._text = has["name"]
            self.fields[self._text] = ""
        elif has.get("type") not in {"checkbox", "radio"} or "checked" in has:
            self.fields[has["name"]] = has.get("value", "")


def kept(shop: Shop, **over: Any) -> str:
    """The address of a campaign that the API has made."""
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        said = {"programme": programme, "name": "Coffee", "message": WORDS, "goal": GOAL, "send_local": MONDAY} | over
        made = service.create(session, Draft(**said), by="key:till", now=shop.world.clock())
        return f"/marketing/campaigns/{made.public_id}"


def columns(shop: Shop, address: str) -> dict[str, Any]:
    """All that a campaign says, as its row keeps it."""
    with shop.world.database.reading() as session:
        found = service.by_id(session, address.rsplit("/", 1)[1])
        return drafting.columns(service.draft_of(session, found))


def sent_back(writer: FlaskClient, address: str, **over: str) -> int:
    """Open the page and keep it, with these fields changed."""
    fields = Sent(writer.get(f"{address}/edit").text).fields
    return writer.post(f"{address}/edit", data=fields | over | {"action": "keep"}).status_code


def sentence(writer: FlaskClient, address: str) -> str:
    """The page in words, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", writer.get(address).text)).split())


@pytest.mark.parametrize(("local", "rule"), RHYTHMS, ids=lambda value: str(value)[:60])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Istanbul"])
def test_a_rhythm_and_its_zone_survive_the_page(
    shop: Shop, writer: FlaskClient, local: str, rule: dict[str, Any], zone: str
) -> None:
    address = kept(shop, send_local=local, recurrence=rule, timezone=zone, timezone_mode="fixed")
    before = columns(shop, address)

    assert sent_back(writer, address, body="A word was mended") == 303

    assert columns(shop, address) == before | {"message": {**WORDS, "body": "A word was mended"}}


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: str(trigger)[:60])
def test_a_trigger_survives_the_page(shop: Shop, writer: FlaskClient, trigger: dict[str, Any]) -> None:
    address = kept(shop, trigger=trigger, send_local="", timezone="Pacific/Auckland")
    before = columns(shop, address)

    assert sent_back(writer, address) == 303

    assert columns(shop, address) == before


@pytest.mark.parametrize(
    "over",
    [
        {"send_local": "now"},
        {"send_local": ""},
        {"send_local": "2026-12-24T10:00:45"},
        {"timezone": "America/St_Johns", "timezone_mode": "store"},
        {"goal": {}},
        {"goal": {"metric": "visits", "days": 90}},
        {"quiet": NO_QUIET},
        {"quiet": ("20:00", "07:30")},
        {"holdout_bp": 0},
        {"holdout_bp": 1234},
        {"purpose": "information", "priority": 0, "topic": "News"},
    ],
    ids=str,
)
def test_what_is_said_otherwise_survives_the_page(shop: Shop, writer: FlaskClient, over: dict[str, Any]) -> None:
    address = kept(shop, **over)
    before = columns(shop, address)

    assert sent_back(writer, address) == 303

    assert columns(shop, address) == before


def test_quiet_hours_of_its_own_stay_its_own_where_the_programme_has_the_same(shop: Shop, writer: FlaskClient) -> None:
    with shop.world.database.reading() as session:
        holds = policy.of(session, shop.programme.id)
    same = kept(shop, quiet=(holds.quiet_from, holds.quiet_to))
    others = kept(shop, quiet=("20:00", "07:30"))

    sent_back(writer, same)
    sent_back(writer, others, quiet_from=holds.quiet_from, quiet_to=holds.quiet_to)

    assert columns(shop, same)["quiet_from"] == holds.quiet_from
    assert columns(shop, others)["quiet_from"] is None, "typed anew, they follow the programme"


def test_an_offer_that_is_over_and_the_only_store_stay_chosen(shop: Shop, writer: FlaskClient) -> None:
    only = shop.stores[0]
    shop.change(lambda session: session.delete(session.get_one(Store, shop.stores[1].id)))
    offer = an_offer(shop.world, shop.programme)
    address = kept(shop, offer=offer, stores=(only,))
    shop.change(lambda session: session.execute(update(Offer).where(Offer.id == offer.id).values(state="paused")))

    assert sent_back(writer, address) == 303

    assert (columns(shop, address)["offer_id"], columns(shop, address)["stores"]) == (offer.id, [only.id])


def test_who_was_in_an_archived_segment_does_not_become_everybody(shop: Shop, writer: FlaskClient) -> None:
    rules = {"fact": "language", "op": "is", "value": "tr"}
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        draft = SegmentDraft(programme=programme, name="Turkish", rules=rules)
        segment = segments.create(session, draft, by="test", now=factories.NOW)
    address = kept(shop, segment=segment)
    shop.change(lambda session: session.execute(update(Segment).values(state="archived")))

    assert "Turkish (archived)" in writer.get(f"{address}/edit").text
    assert sent_back(writer, address) == 422

    assert columns(shop, address)["segment_id"] == segment.id


def test_a_chosen_time_goes_before_at_once(shop: Shop, writer: FlaskClient) -> None:
    address = kept(shop, send_local="now")

    sent_back(writer, address, send_local=MONDAY)

    assert columns(shop, address)["send_local"] == MONDAY


def test_another_period_forgets_what_it_has_no_use_for(shop: Shop, writer: FlaskClient) -> None:
    address = kept(shop, recurrence={"every": "week", "weekdays": [1, 3], "interval": 2})

    sent_back(writer, address, every="day", month_day="7")

    assert columns(shop, address)["recurrence"] == {"every": "day", "interval": 2}


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("interval", "0", "This is a whole number from 1 to 366."),
        ("interval", "two", "Write a whole number."),
        ("times", "1001", "This is a whole number from 1 to 1000."),
        ("month_day", "32", "This is a whole number from 1 to 31."),
        ("last_on", "soon", "soon is no date"),
        ("last_on", "2026-11-01", "By this rule it never comes"),
    ],
)
def test_a_wrong_rhythm_is_said_beside_its_field(
    shop: Shop, writer: FlaskClient, field: str, text: str, said: str
) -> None:
    address = kept(shop, recurrence={"every": "month"})
    fields = Sent(writer.get(f"{address}/edit").text).fields

    page = html.unescape(writer.post(f"{address}/edit", data=fields | {field: text, "action": "keep"}).text)

    assert re.search(rf'id="e-{field}">.*?{said}', page)
    assert re.search(rf'<input[^>]*name="{field}" aria-invalid="true" aria-describedby="e-{field}"', page)


@pytest.mark.parametrize(
    ("local", "rule", "said"),
    [
        (*RHYTHMS[0], "every 2 weeks: Monday, 10:00 CLOCK, from 23 Nov 2026, at most 3 times"),
        (MONDAY, {"every": "week", "weekdays": [3]}, "every week: Wednesday, 10:00 CLOCK, from 25 Nov 2026"),
        (*RHYTHMS[2], "every day, 10:00 CLOCK, from 23 Nov 2026"),
        (*RHYTHMS[3], "every 366 days, 10:00 CLOCK, from 23 Nov 2026, at most 1 time"),
        (*RHYTHMS[6], "every 3 months on day 31, 08:15 CLOCK, from 31 Jan 2027, until 31 Jan 2028"),
        (LAST_OF_JANUARY, {"every": "month", "day": 5}, "every month on day 5, 08:15 CLOCK, from 5 Feb 2027"),
        (LAST_OF_JANUARY, {"every": "year"}, "every year on 31 January, 08:15 CLOCK, from 31 Jan 2027"),
        (*RHYTHMS[8], "every 2 years on 29 February, 10:00 CLOCK, from 28 Feb 2027, at most 5 times"),
    ],
)
def test_the_sentence_tells_the_whole_rhythm(
    shop: Shop, writer: FlaskClient, local: str, rule: dict[str, Any], said: str
) -> None:
    address = kept(shop, send_local=local, recurrence=rule, timezone="Asia/Tokyo", timezone_mode="fixed")

    assert said.replace("CLOCK", "by the clock of Asia/Tokyo") in sentence(writer, address)


def test_the_list_tells_the_whole_rhythm_too(shop: Shop, writer: FlaskClient) -> None:
    kept(shop, recurrence={"every": "week", "interval": 2, "until": "2027-01-31", "count": 3})

    told = "every 2 weeks: Monday, 10:00, from 23 Nov 2026, until 31 Jan 2027, at most 3 times"
    assert told in sentence(writer, "/marketing/campaigns")
