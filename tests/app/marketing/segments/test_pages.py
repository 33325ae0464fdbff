"""Marketing's pages of segments, as a browser without a script sees them."""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.campaigns.models import Campaign
from app.marketing.segments import export
from app.segments.models import Segment
from app.staff.models import AuditEvent
from tests.app.marketing.shop import Shop
from tests.app.pages import csrf_of

NEW = "/marketing/segments/new"


class _Form(HTMLParser):
    """What a browser would send of the builder's form, without its buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self._inside, self._select, self._first = False, "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = dict(attrs)
        self._inside = self._inside or (tag == "form" and a.get("id") == "segment-builder")
        if not self._inside:
            return
        if tag == "input" and a.get("name") and (a.get("type") not in {"checkbox"} or "checked" in a):
            self.fields.append((a["name"] or "", a.get("value") or ""))
        elif tag == "select":
            self._select, self._first = a.get("name") or "", ""
        elif tag == "option" and self._select:
            self._first = self._first or (a.get("value") or "")
            if "selected" in a:
                self.fields.append((self._select, a.get("value") or ""))
                self._select = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            self.fields.append((self._select, self._first))
            self._select = ""
        if tag == "form":
            self._inside = False


class Builder:
    """A builder's page in a browser: fields are filled in, buttons are pressed."""

    def __init__(self, client: FlaskClient, address: str = NEW) -> None:
        self.client, self.address = client, address
        self.token = csrf_of(client, address)
        self._shown(client.get(address).text)

    def press(self, action: str, **typed: str | list[str]) -> "Builder":
        fields: dict[str, list[str]] = {}
        for name, value in self.fields:
            fields.setdefault(name, []).append(value)
        for name, value in typed.items():
            fields[name.replace("__", ".")] = value if isinstance(value, list) else [value]
        fields |= {"do": [action], "csrf_token": [self.token]}
        answer = self.client.post(self.address, data=fields)
        self.status, self.location = answer.status_code, answer.headers.get("Location", "")
        self._shown(answer.text)
        return self

    def _shown(self, text: str) -> None:
        self.text = unescape(text)
        found = _Form()
        found.feed(text)
        self.fields = found.fields

    @property
    def count(self) -> str:
        return re.search(r'segment-count"[^>]*><span class="num">([^<]*)', self.text)[1]  # type: ignore[index]


def saved(shop: Shop) -> list[Segment]:
    with shop.world.database.reading() as session:
        return list(session.scalars(select(Segment).order_by(Segment.id)))


def actions(shop: Shop) -> list[str]:
    with shop.world.database.reading() as session:
        return [one for one in session.scalars(select(AuditEvent.action)) if one.startswith("segment")]


@pytest.fixture
def turks(writer: FlaskClient, shop: Shop) -> Iterator[str]:
    """A saved segment of those who speak Turkish; the address of its page."""
    made = Builder(writer).press("add:r", r__new="language")
    return made.press("save", name="Turkish", r__0__value=["tr"]).location


def test_rules_are_built_with_buttons_alone_and_read_as_a_sentence(writer: FlaskClient, shop: Shop) -> None:
    page = Builder(writer)
    assert page.count == "3"  # everybody

    page.press("add:r", r__new="language").press("group:r", r__0__value=["tr", "en"])
    page.press("add:r.1", r__1__new="visits").press("add:r.1", r__1__new="wallet", r__1__0__value="2")
    page.press("count", r__1__how="none", r__1__1__value=["none"], r__1__0__days="30")

    assert "Language: English or Türkçe" in page.text or "Language: Türkçe or English" in page.text
    assert "Visits in the last 30 days: 2 or more" in page.text
    assert page.press("save", name="Quiet").status == 303
    assert saved(shop)[0].rules == {
        "all": [
            {"fact": "language", "op": "is", "value": ["en", "tr"]},
            {"not": {"any": [
                {"fact": "visits", "op": "at_least", "value": 2, "days": 30},
                {"fact": "wallet", "op": "is", "value": ["none"]},
            ]}},
        ]
    }  # fmt: skip
    assert actions(shop) == ["segment_created"]


def test_a_double_click_keeps_one_segment(writer: FlaskClient, shop: Shop) -> None:
    page = Builder(writer).press("add:r", r__new="language")
    form = [*page.fields, ("name", "Turkish"), ("r.0.value", "tr"), ("do", "save"), ("csrf_token", page.token)]
    form = MultiDict([one for one in form if one != ("name", "")])

    twice = [writer.post(NEW, data=form).location for _ in range(2)]

    assert twice == [f"/marketing/segments/{one.public_id}" for one in saved(shop)] * 2
    assert actions(shop) == ["segment_created"]


def test_what_is_removed_is_gone_and_the_rest_keeps_its_values(writer: FlaskClient) -> None:
    page = Builder(writer).press("add:r", r__new="balance").press("add:r", r__new="language", r__0__value="5")

    page.press("remove:r.0", r__1__value=["tr"])

    assert page.count == "1"
    assert "Points to spend" not in re.findall(r"<legend>([^<]*)", page.text)


def test_a_faulty_rule_is_told_beside_its_field_and_keeps_what_was_typed(writer: FlaskClient, shop: Shop) -> None:
    page = Builder(writer).press("add:r", r__new="visits")

    page.press("save", name="", r__0__value="a few")

    assert page.status == 422
    assert "Write a whole number from 0 to 1000000000." in page.text
    assert ("r.0.value", "a few") in page.fields
    assert saved(shop) == []


def test_the_page_says_what_to_complete_before_it_counts(writer: FlaskClient) -> None:
    page = Builder(writer).press("add:r", r__new="visits")

    assert page.count == "–"
    assert "Complete the rules to count them." in page.text
    assert "One thing to mend" not in page.text  # nobody has had a chance to fill it in


def test_rules_that_contradict_each_other_count_nobody_and_say_so(writer: FlaskClient) -> None:
    page = Builder(writer).press("add:r", r__new="visits").press("add:r", r__new="visits", r__0__value="5")

    page.press("count", r__1__op="is", r__1__value="0")

    assert page.count == "0"
    assert "These rules contradict each other, so nobody can fit them all: Visits." in page.text


def test_a_segment_shows_ten_members_by_short_names_and_why(writer: FlaskClient, shop: Shop, turks: str) -> None:
    ayse, budi = shop.cards[:2]

    page = unescape(writer.get(turks).text)
    inside = unescape(writer.get(f"{turks}?card={ayse.number}").text)
    outside = unescape(writer.get(f"{turks}?card={budi.number}").text)

    assert "Ayşe Y." in page
    assert "Yılmaz" not in page
    assert f"Ayşe Y. ····{ayse.number[-4:]} is in this segment." in inside
    assert f"Budi S. ····{budi.number[-4:]} is not in this segment." in outside
    assert "has: Bahasa Indonesia" in outside
    assert "Nobody in this programme has this." in unescape(writer.get(f"{turks}?card=nobody").text)


def test_the_list_names_rules_and_an_edit_is_kept(writer: FlaskClient, shop: Shop, turks: str) -> None:
    Builder(writer, f"{turks}/edit").press("save", name="Indonesian", r__0__value=["id"])

    page = unescape(writer.get("/marketing/segments").text)

    assert "Indonesian" in page
    assert "Language: Bahasa Indonesia" in page
    assert saved(shop)[0].revision == 2
    assert actions(shop) == ["segment_created", "segment_changed"]


def test_a_segment_in_use_is_not_archived_and_says_by_what(writer: FlaskClient, shop: Shop, turks: str) -> None:
    segment = saved(shop)[0]
    campaign = Campaign(
        public_id="cmp_1", programme_id=shop.programme.id, name="Tea week", kind="once", segment_id=segment.id,
        timezone="Europe/Istanbul", created_by="x", created_at=shop.world.clock(), changed_by="x",
        changed_at=shop.world.clock(),
    )  # fmt: skip
    shop.change(lambda session: session.add(campaign))
    token = csrf_of(writer, turks)

    writer.post(f"{turks}/archive", data={"csrf_token": token})
    assert "in use by: Tea week" in unescape(writer.get(turks).text)
    assert saved(shop)[0].state == "live"

    shop.change(lambda session: setattr(session.get_one(Campaign, campaign.id), "state", "stopped"))
    writer.post(f"{turks}/archive", data={"csrf_token": token})
    assert saved(shop)[0].state == "archived"


def test_the_file_holds_numbers_of_cards_and_is_written_into_the_audit_log(
    writer: FlaskClient, shop: Shop, turks: str
) -> None:
    answer = writer.get(f"{turks}.csv")

    assert answer.text.splitlines() == ["card", shop.cards[0].number]
    assert actions(shop)[-1] == "segment_exported"


def test_who_may_see_people_gets_them_with_formulas_disarmed(shop: Shop, turks: str) -> None:
    lines = shop.browser("owner").get(f"{turks}.csv").text.splitlines()

    assert lines[0] == "card,member,name,email,phone"
    assert "Ayşe Yılmaz" in lines[1]
    assert [export.safe(one) for one in ("=1+1", "+90", "-x", "@a", "\t=1", "Ayşe", "")] == [
        "'=1+1", "'+90", "'-x", "'@a", "'\t=1", "Ayşe", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"r.kind": "leaf"}, {"r.kind": "group", "r.0.kind": "leaf", "r.0.fact": "shoe_size"},
        {"do": "add:r", "r.kind": "group", "r.new": "no such"}, {"do": "remove:r"}, {"do": "group:nowhere"},
        {"do": "\x00"}, {"r.kind": "group", "r.how": "sometimes", "r.0.kind": "leaf", "r.0.fact": "visits",
                         "r.0.op": "' OR 1=1 --", "r.0.value": "9" * 400},
    ],
)  # fmt: skip
def test_a_form_that_no_page_sent_breaks_nothing(writer: FlaskClient, shop: Shop, fields: dict[str, str]) -> None:
    token = csrf_of(writer, NEW)

    for action in ({}, {"do": "save", "name": "x"}):
        answer = writer.post(NEW, data={"csrf_token": token, **fields, **action})
        assert answer.status_code in {200, 303, 422}
    side = writer.post("/marketing/segments/side", data={"csrf_token": token, **fields})
    assert side.status_code == (422 if "\x00" in fields.values() else 200)


def test_another_programmes_segment_and_one_that_is_not_there_are_not_found(writer: FlaskClient) -> None:
    for place in ("seg_none", "seg_none/edit", "seg_none.csv"):
        assert writer.get(f"/marketing/segments/{place}").status_code == 404
