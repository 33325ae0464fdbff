"""The rules of earning, changed by forms without a script."""

import html
import io
import json
import re
from typing import Any

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from app.earning import service
from tests import factories
from tests.app.admin.conftest import Browser, Office

RULES = "/admin/programmes/kahve/rules"
DRAFT = f"{RULES}/draft"
TUESDAY = {
    "kind": "multiplier", "name": "Tuesday", "factor": "2,5", "when.windows.0.weekdays.2": "yes",
    "when.windows.0.from": "17:00", "when.windows.0.to": "19:00", "when.windows.0.last_on": "2026-12-31",
}  # fmt: skip


class Desk:
    """An operator with a draft open: what the page carries goes along with each step."""

    def __init__(self, browser: Browser, address: str = DRAFT) -> None:
        self.browser = browser
        self.page = self._read(browser.get(address))

    def do(self, step: str, **fields: object) -> TestResponse:
        answer = self.browser.send(DRAFT, do=step, draft=self.draft, based_on=self.based_on, **fields)
        if answer.status_code != 303:
            self.page = self._read(answer)
        return answer

    def rules(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.draft)
        return found

    def _read(self, answer: TestResponse) -> str:
        assert answer.status_code < 500
        found = re.search(r'name="draft" value="([^"]*)"', answer.text)
        number = re.search(r'name="based_on" value="(\d+)"', answer.text)
        assert found, answer.text
        assert number
        self.draft, self.based_on = html.unescape(found[1]), number[1]
        return html.unescape(answer.text)


@pytest.fixture
def desk(operator: Browser) -> Desk:
    return Desk(operator)


def latest(office: Office) -> dict[str, Any]:
    with office.world.database.reading() as session:
        return service.raw(service.published(session, office.programme)[0])


def test_rules_read_as_sentences(operator: Browser) -> None:
    page = operator.get(RULES).text

    assert "1 point for every TRY\u00a010.00" in page
    assert "Version 1" in page
    assert "The largest counts alone" in page


def test_a_rule_is_added_shown_to_meet_a_tier_and_published(desk: Desk, office: Office, operator: Browser) -> None:
    assert "Multiplier" in desk.do("new", kind="multiplier").text
    desk.do("keep:", **TUESDAY, **{f"when.stores.{office.store.public_id}": "yes"})

    assert "2.5× on Tuesdays 17:00–19:00 in Kadıköy until 31 Dec 2026" in desk.page
    assert "Tuesday and Gold meet on Tuesdays 17:00–19:00 until 31 Dec 2026: best = 2.5×" in desk.page
    page = operator.follow(desk.do("publish", begins="now", note="more on Tuesdays"))

    assert "Version 2 is published" in page
    assert latest(office)["rules"][1]["factor"] == "2.5"
    [event] = office.events("rules_published")
    assert event.subject == f"programme:{office.programme.public_id}"
    assert event.after is not None
    assert event.after["number"] == 2
    assert event.reason == "more on Tuesdays"
    assert "2.5×" in operator.get(f"{RULES}/versions/2").text


@pytest.mark.parametrize(
    ("kind", "fields", "sentence"),
    [
        (
            "amount",
            {"points": "3", "per": "5,00", "only.categories": "cake"},
            "3 points for every TRY\u00a05.00 for cake",
        ),
        ("unit", {"points": "1", "per": "2", "only.products": "latte, mocha"}, "1 point for every 2 pieces"),
        ("visit", {"points": "5", "when.occasions.birthday": "yes"}, "5 points for each purchase on the birthday"),
        ("event", {"event": "review", "points": "20"}, "20 points for “review”"),
        ("bonus", {"points": "10", "minimum": "100", "no_end": "yes"}, "10 points extra from TRY\u00a0100.00 on"),
        ("exclusion", {"only.categories": "tobacco"}, "tobacco earns nothing"),
        ("cap", {"points": "500", "per": "day"}, "At most 500 points a day"),
        (
            "discount",
            {"bands.0.from": "0", "bands.0.percent": "0", "bands.1.from": "1000", "bands.1.percent": "2,5"},
            "2.5 % off from TRY\u00a01,000.00 spent",
        ),
        ("bonus_money", {"percent": "5", "expires_days": "90"}, "5 % as money for later"),
    ],
)
def test_every_kind_of_rule_is_made_and_opened_again_by_its_form(
    desk: Desk, kind: str, fields: dict[str, str], sentence: str
) -> None:
    desk.do("new", kind=kind)
    desk.do("keep:", kind=kind, name="Ours", **fields)
    assert sentence in desk.page
    kept = desk.rules()["rules"][1]

    form = desk.do("open:1").text
    inputs = re.findall(r'<input type="(?:text|time|date)" value="([^"]*)" id="[^"]*" name="([^"]+)"', form)
    typed = {name: html.unescape(value) for value, name in inputs}
    ticked = dict.fromkeys(re.findall(r'type="checkbox" id="[^"]*" name="([^"]+)" value="yes" checked', form), "yes")
    chosen = dict(re.findall(r'<select id="f-(\w+)"[^>]*>.*?value="(\w+)" selected', form))
    desk.do("keep:1", **{**typed, **ticked, **chosen, "kind": kind})

    assert desk.rules()["rules"][1] == kept


@pytest.mark.parametrize(
    ("kind", "fields", "field", "sentence"),
    [
        ("multiplier", {"name": "Tuesday", "factor": "2"}, "no_end", "Give it a last day"),
        ("multiplier", {**TUESDAY, "factor": "-1"}, "factor", "decimal string above zero"),
        ("multiplier", {**TUESDAY, "name": "Purchases"}, "name", "Two rules are named Purchases"),
        ("amount", {"name": "x", "points": "many", "per": "1"}, "points", "whole number"),
        ("amount", {"name": "x", "points": "1", "per": "0"}, "per", "above zero"),
        ("exclusion", {"name": "x"}, "only", "Say which products"),
        ("multiplier", {**TUESDAY, "when.windows.0.last_on": "31.12.2026"}, "when.windows.0.last_on", "no date"),
    ],
)
def test_a_faulty_rule_stays_in_its_form_with_the_reason(
    desk: Desk, kind: str, fields: dict[str, str], field: str, sentence: str
) -> None:
    desk.do("new", kind=kind)
    before = desk.draft

    answer = desk.do("keep:", **{**fields, "kind": kind})

    assert answer.status_code == 422
    assert sentence in desk.page
    assert html.escape(fields.get("name", "")) in answer.text
    assert desk.draft == before
    assert field


def test_a_rule_is_taken_out_and_settings_are_changed(desk: Desk, office: Office, operator: Browser) -> None:
    desk.do("settings", stacking="add", carry="yes", minimum="50", pending_days="2", returns="clamp",
            **{"expiry.policy": "rolling", "expiry.days": "365"})  # fmt: skip
    assert "365 days after they were earned" in desk.page
    desk.do("remove:0")
    assert "No rule yet" in desk.page
    operator.follow(desk.do("publish", begins="now"))

    published = latest(office)
    assert published["rules"] == []
    assert (published["stacking"], published["carry"], published["minimum"]) == ("add", True, "50")
    assert published["expiry"] == {"policy": "rolling", "days": 365}
    wrong = Desk(operator).do("settings", stacking="newest", **{"expiry.policy": "rolling", "expiry.days": "x"})
    assert wrong.status_code == 422
    assert "This is one of best, add, multiply." in wrong.text


def test_rules_begin_when_the_clock_of_the_programme_says(desk: Desk, office: Office, operator: Browser) -> None:
    past = desk.do("publish", begins="later", starts_at="2020-01-01T00:00")
    assert past.status_code == 422
    assert "Rules begin now or later" in past.text
    assert desk.do("publish", begins="later", starts_at="soon").status_code == 422

    page = operator.follow(desk.do("publish", begins="later", starts_at="2026-12-01T09:00"))

    assert "Planned" in page
    with office.world.database.reading() as session:
        assert service.published(session, office.programme)[0].starts_at.isoformat() == "2026-12-01T06:00:00+00:00"
    assert "will never begin: 2" in Desk(operator).page


def test_a_draft_that_others_have_overtaken_is_not_published(desk: Desk, operator: Browser) -> None:
    other = Desk(operator)
    operator.follow(other.do("publish", begins="now"))

    answer = desk.do("publish", begins="now")

    assert answer.status_code == 409
    assert "Somebody published other rules in the meantime" in answer.text


def test_a_draft_can_begin_as_an_older_version(operator: Browser, desk: Desk, office: Office) -> None:
    desk.do("remove:0")
    operator.follow(desk.do("publish", begins="now"))

    again = Desk(operator, f"{DRAFT}?from=1")
    operator.follow(again.do("publish", begins="now"))

    assert latest(office)["rules"][0]["name"] == "Purchases"


def test_a_draft_is_tried_out_on_a_file_with_its_cost(desk: Desk, operator: Browser) -> None:
    desk.do(
        "keep:", **{**TUESDAY, "factor": "2", "kind": "multiplier", "when.windows.0.from": "", "when.windows.0.to": ""}
    )
    content = b"at,amount\n2026-11-24 10:00,178.00\n2026-11-25 10:00,50.00\n2026-11-25,NaN\n"
    values = {
        "csrf_token": operator.token, "do": "try", "draft": desk.draft, "based_on": desk.based_on,
        "point_value": "0,10", "receipts": FileStorage(io.BytesIO(content), filename="receipts.csv"),
    }  # fmt: skip
    boundary, body = encode_multipart(values)

    answer = operator.client.post(DRAFT, data=body, content_type=f"multipart/form-data; boundary={boundary}")

    page = html.unescape(answer.text)
    assert "On 2 purchases worth TRY\u00a0228.00: +18 points" in page
    assert "TRY\u00a04.00" in page
    assert "Row 4" in page
    assert "1 row could not be read and was left out" in page


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"days": "0"}, "a number of days from 1"),
        ({"days": "many"}, "a number of days from 1"),
        ({"days": "7", "point_value": "-1"}, "an amount above zero"),
    ],
)
def test_a_trial_that_cannot_be_meant_says_why(desk: Desk, fields: dict[str, str], sentence: str) -> None:
    answer = desk.do("try", **fields)

    assert answer.status_code == 422
    assert sentence in answer.text


def test_a_trial_on_the_programme_s_own_sales_without_any(desk: Desk) -> None:
    assert "On 0 purchases" in desk.do("try", days="30").text


@pytest.mark.parametrize("draft", ["", "{", "[]", '{"rules": 1}', "[" * 5_000, '{"rules": [{"kind": "magic"}]}'])
def test_a_damaged_draft_is_refused_with_a_way_on(operator: Browser, office: Office, draft: str) -> None:
    answer = operator.send(DRAFT, do="publish", draft=draft, based_on="1")

    assert answer.status_code == 422
    assert "This draft is damaged" in answer.text
    assert len(latest(office)["rules"]) == 1


def test_those_who_only_read_see_rules_and_change_none(app: Any, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        auditor = factories.staff(session, "auditor")
    browser = Browser(app, auditor)

    assert "Change the rules" not in browser.get(RULES).text
    assert browser.get(DRAFT).status_code == 403
    assert browser.send(DRAFT, do="publish").status_code == 403
    assert browser.get(f"{RULES}/versions/1").status_code == 200
    assert browser.get(f"{RULES}/versions/9").status_code == 404
