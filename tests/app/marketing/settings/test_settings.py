"""What holds for all campaigns: read by everybody in the room, changed by who is not checked by it."""

import ast
import html
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.campaigns import policy
from app.campaigns.policy import Policy
from app.marketing.settings import doings
from app.marketing.settings.forms import basis_points
from app.staff.models import AuditEvent
from tests.app.marketing.shop import FIELDS as CAMPAIGN
from tests.app.marketing.shop import NEW, Shop, send

SETTINGS = "/marketing/settings"
ROOMS = ("api", "campaigns", "marketing", "pilots", "results")
WRITING = ("record", "_note", "_changed", "_turn")
ACTION = re.compile("(campaign|offer|segment|pilot)_[a-z_]+")
FIELDS = {
    "quiet_from": "22:00",
    "quiet_to": "08:00",
    "cap_day": "2",
    "cap_week": "4",
    "global_holdout": "2,5",
    "approve_above": "1000",
}


def holding(shop: Shop) -> Policy:
    with shop.world.database.reading() as session:
        return policy.of(session, shop.programme.id)


def test_an_approver_changes_what_holds_and_it_is_written_down(shop: Shop) -> None:
    approver = shop.browser("approver")

    answer = send(approver, SETTINGS, page=SETTINGS, **FIELDS)

    assert answer.status_code == 303
    assert holding(shop) == Policy(
        quiet_from="22:00", quiet_to="08:00", cap_day=2, cap_week=4, global_holdout_bp=250, approve_above=1000,
        is_chosen=True,
    )  # fmt: skip
    page = html.unescape(approver.get(SETTINGS).text)
    assert 'value="2.5"' in page
    assert "What holds for all campaigns was changed" in page
    with shop.world.database.reading() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "marketing_policy_changed")).one()
    assert event.after is not None
    assert event.after["approve_above"] == 1000


@pytest.mark.parametrize(
    ("language", "written", "moved"),
    [
        ("en", "Campaign written", "Campaign moved to another time"),
        ("tr", "Kampanya yazıldı", "Kampanya başka bir zamana taşındı"),
        ("id", "Kampanye ditulis", "Kampanye dipindahkan ke waktu lain"),
    ],
)
def test_what_was_done_lately_is_told_in_words_with_its_name(
    shop: Shop, language: str, written: str, moved: str
) -> None:
    marketer = shop.browser("marketer")
    send(marketer, NEW, **CAMPAIGN, action="keep")
    (made,) = shop.campaigns()
    move = {"campaign": made.public_id, "local": "2026-11-22T10:00"}
    assert send(marketer, "/marketing/calendar/move", page="/marketing/calendar", **move).status_code == 303

    page = html.unescape(marketer.get(f"{SETTINGS}?lang={language}").text)

    assert page.index(moved) < page.index(written)
    assert made.name in page
    assert "campaign_" not in page.split('id="lately"')[1]


def test_everything_that_is_written_down_in_this_room_has_words(app: Flask) -> None:
    sources = [path for room in ROOMS for path in (Path(app.root_path) / room).rglob("*.py")]
    calls = [one for path in sources for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Call)]
    written = {
        one.value
        for call in calls
        if ast.unparse(call.func).rpartition(".")[2] in WRITING
        for one in ast.walk(call)
        if isinstance(one, ast.Constant) and ACTION.fullmatch(str(one.value))
    }

    with app.test_request_context():
        named = doings.sentences().keys()

    assert written == named - {"marketing_policy_changed"}


@pytest.mark.parametrize("role", ["marketer", "manager", "auditor"])
def test_who_is_checked_by_it_reads_it_and_changes_nothing(shop: Shop, role: str) -> None:
    reader = shop.browser(role)

    page = reader.get(SETTINGS)

    assert page.status_code == 200
    assert "An approver or the owner changes these." in page.text
    assert send(reader, SETTINGS, page="/account", **FIELDS).status_code == 403
    assert not holding(shop).is_chosen


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"quiet_from": "late"}, "Write the time as hours and minutes"),
        ({"cap_day": "-1"}, "Write a whole number."),
        ({"cap_day": "11"}, "Somebody is told at most 0 to 10 times in 24 hours."),
        ({"cap_week": "51"}, "Somebody is told at most 0 to 50 times in 7 days."),
        ({"global_holdout": "a lot"}, "Write a percentage such as 5 or 2.5."),
        ({"global_holdout": "51"}, "From 0 to 50 percent are held back of everything."),
        ({"approve_above": "99999999999"}, "Write a whole number."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(shop: Shop, over: dict[str, str], sentence: str) -> None:
    refused = send(shop.browser("approver"), SETTINGS, page=SETTINGS, **FIELDS | over)

    assert refused.status_code == 422
    assert sentence in html.unescape(refused.text)
    assert 'aria-invalid="true"' in refused.text
    assert not holding(shop).is_chosen


def test_holding_nobody_back_of_everything_is_warned_of(shop: Shop) -> None:
    approver = shop.browser("approver")

    send(approver, SETTINGS, page=SETTINGS, **FIELDS | {"global_holdout": "0"})

    assert "what marketing as a whole changes cannot be told" in approver.get(SETTINGS).text


def test_the_page_says_who_may_do_what(writer: FlaskClient) -> None:
    page = html.unescape(writer.get(SETTINGS).text)

    assert "Writes, and approves what others wrote" in page
    assert "Reads" in page
    assert "Cashier" not in page


@pytest.mark.parametrize(
    ("text", "share"),
    [("10", 1000), ("2,5 %", 250), ("0", 0), ("100", 10_000), ("0.01", 1)],
)
def test_percentages_are_read_as_people_write_them(text: str, share: int) -> None:
    assert basis_points(text) == share


@pytest.mark.parametrize("text", ["", "%", "ten", "101", "-1", "0.001", "NaN", "Infinity", "1e9", "١٠٠٠٠"])
def test_what_is_no_percentage_is_none(text: str) -> None:
    assert basis_points(text) is None
