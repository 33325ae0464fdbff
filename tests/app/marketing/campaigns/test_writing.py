"""A campaign is written, looked at, kept, scheduled, and refused with a sentence beside the field."""

import html
import time
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.campaigns.models import CampaignRun
from app.staff.models import AuditEvent
from tests.app.marketing.shop import FIELDS, NEW, Shop, send


def test_the_empty_page_plans_for_everybody_and_says_what_its_button_does(writer: FlaskClient) -> None:
    page = writer.get(NEW).text

    assert "3 people with a card now." in page
    assert "Schedule for 3 people" in page
    assert "things to mend" not in page, "nobody is scolded for a form that they have not touched"


def test_looking_again_draws_three_members_in_three_languages_and_keeps_nothing(
    shop: Shop, writer: FlaskClient
) -> None:
    page = send(writer, NEW, **FIELDS, action="preview").text

    assert page.count('class="face"') == 3 * 3 * 2, "three members, three languages, two wallets"
    for line in ("Your coffee is ready, Emily", "Kahven hazır, Ayşe", "Kahven hazır, Budi"):
        assert line in page
    assert shop.campaigns() == []


def test_a_draft_is_kept_as_it_was_typed_and_leaves_a_trace(shop: Shop, writer: FlaskClient) -> None:
    answer = send(writer, NEW, **FIELDS, action="keep")

    (kept,) = shop.campaigns()
    assert answer.status_code == 303
    assert (kept.state, kept.send_local, kept.holdout_bp) == ("draft", "2026-11-21T10:00", None)
    assert kept.message["texts"]["en"]["title"].startswith("Your coffee")
    assert kept.quiet_from is None, "the programme's own quiet hours follow the programme"
    with shop.world.database.reading() as session:
        assert "campaign_created" in session.scalars(select(AuditEvent.action)).all()
    page = html.unescape(writer.get(answer.location).text)
    assert "Sat 21 Nov 2026, 10:00" in page
    assert "how many buy" in page


def test_scheduling_lets_its_run_wait_for_the_first_of_all_zones(shop: Shop, writer: FlaskClient) -> None:
    send(writer, NEW, **FIELDS, action="go")

    (kept,) = shop.campaigns()
    assert kept.state == "queued"
    with shop.world.database.reading() as session:
        (run,) = session.scalars(select(CampaignRun)).all()
    assert run.fire_at == datetime(2026, 11, 21, 3, 0, tzinfo=UTC), "ten o'clock comes to Jakarta first"


def test_a_time_that_is_over_asks_now_or_never(shop: Shop, writer: FlaskClient) -> None:
    late = FIELDS | {"send_local": "2026-11-19T10:00"}

    refused = send(writer, NEW, **late, action="go")

    assert refused.status_code == 422
    assert "Now or never?" in refused.text
    assert shop.campaigns() == []

    send(writer, NEW, **late, action="now")

    assert [one.state for one in shop.campaigns()] == ["queued"]


def test_a_time_that_is_over_is_asked_about_before_an_approval_is(shop: Shop, writer: FlaskClient) -> None:
    shop.approve_above(0)

    refused = send(writer, NEW, **FIELDS | {"send_local": "2026-11-19T10:00"}, action="go")

    assert "Now or never?" in refused.text
    assert shop.campaigns() == []


def test_everything_that_is_wrong_is_said_at_once(writer: FlaskClient) -> None:
    page = send(writer, NEW, **FIELDS | {"holdout": "ten", "title": "{colour}", "goal_days": "0"}, action="keep").text

    assert "3 things to mend" in page
    assert "Complete the form, and the plan appears here." in page


def test_an_empty_audience_cannot_be_scheduled_and_says_why(shop: Shop, writer: FlaskClient) -> None:
    nobody = FIELDS | {"segment": "Gold"}

    page = send(writer, NEW, **nobody, action="preview").text
    refused = send(writer, NEW, **nobody, action="go")

    assert "Nobody is in this audience" in page
    assert 'value="go"' not in page
    assert refused.status_code == 422
    assert "Nobody is in this audience; choose another." in refused.text
    assert shop.campaigns() == []


def test_holding_nobody_back_is_warned_of(writer: FlaskClient) -> None:
    page = send(writer, NEW, **FIELDS | {"holdout": "0"}, action="preview").text

    assert "Nobody is held back, so nobody will know what this campaign changed." in page


def test_a_field_that_says_nothing_for_a_member_is_named_beside_their_card(writer: FlaskClient) -> None:
    page = send(writer, NEW, **FIELDS | {"title": "{tier} kahvesi"}, action="preview").text

    assert "Nothing to say for tier" in page
    assert "Who has nothing for “Tier” gets nothing." in page


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"title": "", "title_en": "", "name": "x"}, "A message has a title."),
        ({"title": "{colour}"}, "There is no field {colour}"),
        ({"title_en": "x" * 61}, "This has at most 60 characters."),
        ({"what": "offer_of_nobody"}, "Choose what is sent."),
        ({"segment": "seg_of_nobody"}, "Choose whom it is for."),
        ({"send_local": "soon"}, "Write the time as the clock on the wall shows it"),
        ({"holdout": "ten"}, "Write a percentage such as 10"),
        ({"holdout": "60"}, "From 0 to 50 percent can be held back."),
        ({"goal_days": "0"}, "The goal is measured for 1 to 90 days."),
        ({"goal_days": "soon"}, "Write a whole number."),
        ({"priority": "101"}, "The priority is a whole number from 0 to 100."),
        ({"timezone_mode": "moon"}, "The clock is that of the member, of the store, or fixed."),
        ({"quiet_from": "25:99"}, "Write the time as hours and minutes"),
        ({"kind": "recurring", "every": "century", "first_on": "2026-12-01", "at": "10:00"}, "Say what it comes every"),
        ({"kind": "recurring", "every": "week", "first_on": "", "at": ""}, "Write the time as the clock on the wall"),
        ({"kind": "triggered", "trigger": "eclipse"}, "Choose what it follows."),
        ({"kind": "triggered", "trigger": "milestone", "trigger.milestone.visits": "many"}, "a whole number from 1"),
        ({"topic": "t" * 41}, "A topic has at most 40 characters."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_kept(
    shop: Shop, writer: FlaskClient, over: dict[str, str], sentence: str
) -> None:
    refused = send(writer, NEW, **FIELDS | over, action="keep")

    assert refused.status_code == 422
    assert sentence in html.unescape(refused.text)
    assert 'aria-invalid="true"' in refused.text
    assert shop.campaigns() == []


def test_a_recurring_campaign_is_read_back_as_it_was_typed(shop: Shop, writer: FlaskClient) -> None:
    weekly = FIELDS | {
        "kind": "recurring", "every": "week", "weekday.1": "yes", "weekday.5": "yes", "first_on": "2026-11-23",
        "at": "10:30", "last_on": "2027-01-31",
    }  # fmt: skip

    answer = send(writer, NEW, **weekly, action="keep")

    (kept,) = shop.campaigns()
    assert kept.recurrence == {"every": "week", "interval": 1, "weekdays": [1, 5], "until": "2027-01-31"}
    assert "every week: Monday and Friday, 10:30" in html.unescape(writer.get(answer.location).text)
    form = writer.get(f"/marketing/campaigns/{kept.public_id}/edit").text
    assert 'name="weekday.5" value="yes" checked' in form
    assert 'value="2026-11-23"' in form


def test_a_triggered_campaign_says_what_it_follows(shop: Shop, writer: FlaskClient) -> None:
    birthday = FIELDS | {
        "kind": "triggered", "trigger": "birthday", "trigger.birthday.days_before": "2",
        "trigger.birthday.at": "11:00", "trigger.birthday.valid_days": "14",
    }  # fmt: skip

    answer = send(writer, NEW, **birthday, action="go")

    (kept,) = shop.campaigns()
    assert kept.trigger == {"on": "birthday", "days_before": 2, "at": "11:00", "valid_days": 14}
    assert kept.state == "sending"
    assert "2 days before their birthday, at 11:00" in writer.get(answer.location).text


def test_who_opened_the_form_before_somebody_else_changed_it_is_told(shop: Shop, writer: FlaskClient) -> None:
    send(writer, NEW, **FIELDS, action="keep")
    address = f"/marketing/campaigns/{shop.campaigns()[0].public_id}/edit"
    send(writer, address, **FIELDS | {"name": "Mine", "revision": "1"}, action="keep")

    refused = send(writer, address, **FIELDS | {"name": "Theirs", "revision": "1"}, action="keep")

    assert refused.status_code == 409
    assert "Somebody changed this campaign in the meantime." in refused.text
    assert shop.campaigns()[0].name == "Mine"


def test_a_double_click_makes_one_campaign_and_another_form_another(shop: Shop, writer: FlaskClient) -> None:
    twice = []
    for _ in range(2):
        twice.append(send(writer, NEW, **FIELDS, key="k1", action="go").location)
        time.sleep(1.05)  # the page's token against forgery is another one then

    other = send(writer, NEW, **FIELDS, key="k2", action="keep").location

    assert twice[0] == twice[1] != other
    assert [one.state for one in shop.campaigns()] == ["queued", "draft"]
    assert 'name="key" value="' in writer.get(NEW).text
