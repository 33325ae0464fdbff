"""The operator's pages of rewards and of unique codes."""

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.cards.models import Programme
from app.coupons.models import Batch
from app.offers import service as offers
from app.rewards.models import Reward, Slot
from tests.app.admin.conftest import Browser, Office

BASE = "/admin/programmes/kahve/rewards"
CODES = "/admin/programmes/kahve/codes"


def reward(office: Office) -> Reward:
    with office.world.database.reading() as session:
        return session.scalars(select(Reward).order_by(Reward.id.desc()).limit(1)).one()


def batch(office: Office) -> Batch:
    with office.world.database.reading() as session:
        return session.scalars(select(Batch).order_by(Batch.id.desc()).limit(1)).one()


def test_a_discount_is_added_with_its_rules_and_changed(operator: Browser, office: Office) -> None:
    fields: dict[str, Any] = {
        "kind": "discount", "name": "Money off", "points": "1", "value": "0,10", "max_share": "50", "flexible": "yes",
        "limit_per_member_day": "2", "starts_at": "2026-11-20T12:00", "stores": [str(office.store.id)],
    }  # fmt: skip
    page = operator.follow(operator.send(BASE, **fields))
    made = reward(office)

    assert "1 point = TRY" in page
    assert (made.kind, made.value_minor, made.max_share, made.flexible, made.stores) == (
        "discount", 10, 50, True, [office.store.id],
    )  # fmt: skip
    form = operator.get(f"{BASE}/{made.public_id}").text
    assert 'value="0.10"' in form
    assert 'value="2026-11-20T12:00"' in form

    operator.send(f"{BASE}/{made.public_id}", **{**fields, "max_share": "30", "stores": []})

    assert (reward(office).max_share, reward(office).stores) == (30, [])
    assert office.events("reward_changed")[0].after["max_share"] == "30"


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"value": "ten"}, "value"),
        ({"kind": "discount"}, "value"),
        ({"ends_at": "yesterday"}, "ends_at"),
        ({"ends_at": "2020-01-01T00:00"}, "ends_at"),
        ({"stock": "-1"}, "stock"),
        ({"limit_total": "many"}, "limit_total"),
        ({"points": ""}, "points"),
        ({"stores": ["999"]}, "stores"),
        ({"about-tr": "x" * 501}, "about-tr"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    operator: Browser, office: Office, over: dict[str, Any], field: str
) -> None:
    answer = operator.send(BASE, **{"name": "Cake", "points": "40", **over})

    assert answer.status_code == 422
    assert f'href="#f-{field}"' in answer.text
    assert 'value="Cake"' in answer.text


def test_the_stock_is_counted_moved_and_no_longer_counted(operator: Browser, office: Office) -> None:
    operator.send(BASE, name="Cake", points="40")
    address = f"{BASE}/{reward(office).public_id}/stock"

    seen = []
    for fields in ({"pieces": "10"}, {"pieces": "-3"}, {"pieces": "-8"}, {"count": "stop"}):
        status = operator.send(address, **fields).status_code
        seen.append((status, reward(office).stock))

    assert seen == [(303, 10), (303, 7), (409, 7), (303, None)]
    assert len(office.events("reward_restocked")) == 3


def test_dates_of_an_experience_are_added_and_called_off(operator: Browser, office: Office) -> None:
    operator.send(BASE, kind="experience", name="Tasting", points="50")
    address = f"{BASE}/{reward(office).public_id}"
    wrong = operator.send(f"{address}/slots", slot_starts_at="2020-01-01T10:00", slot_ends_at="", capacity="0")
    operator.send(f"{address}/slots", slot_starts_at="2026-12-01T18:00", slot_ends_at="2026-12-01T20:00", capacity="12")

    page = operator.get(address).text
    with office.world.database.reading() as session:
        slot = session.scalars(select(Slot)).one()
    operator.send(f"{address}/slots/{slot.public_id}/call-off")

    assert wrong.status_code == 422
    assert "2026-12-01 18:00–20:00" in page
    assert "0 of 12 places taken" in page
    assert "Called off" in operator.get(address).text
    assert [len(office.events(one)) for one in ("slot_added", "slot_called_off")] == [1, 1]


def test_codes_are_made_downloaded_once_and_called_back(operator: Browser, office: Office) -> None:
    page = operator.follow(operator.send(CODES, name="Flyer", size="40", gives="points", points="5"))
    address = f"{CODES}/{batch(office).public_id}"

    file = operator.send(f"{address}/download")
    rows = file.text.split("\r\n")[1:-1]
    again = operator.follow(operator.send(f"{address}/download"))
    revoked = operator.follow(operator.send(f"{address}/revoke"))

    assert "downloaded once" in page
    assert (file.mimetype, file.headers["Cache-Control"], len(set(rows))) == ("text/csv", "no-store", 40)
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}", rows[0])
    assert "nobody can tell them again" in again
    assert "Called back" in revoked
    assert [len(office.events(f"codes_{one}")) for one in ("made", "downloaded", "revoked")] == [1, 1, 1]


def test_no_codes_are_made_for_an_offer_that_goes_with_a_purchase_only(operator: Browser, office: Office) -> None:
    now = office.world.clock()
    with office.world.database.unit_of_work() as session:
        times: dict[str, Any] = {"starts_at": now, "ends_at": now + timedelta(days=1), "timezone": "Europe/Istanbul"}
        programme = session.scalars(select(Programme).where(Programme.slug == "kahve")).one()
        kinds: dict[str, dict[str, Any]] = {"percent": {"percent": "10"}, "product": {"products": ["tea"]}}
        made = {
            kind: offers.create(
                session,
                offers.OfferDraft(programme=programme, title=f"A {kind}", body="", kind=kind, terms=terms, **times),
                by="staff:x",
                now=now,
            ).public_id
            for kind, terms in kinds.items()
        }

    refused = operator.send(CODES, name="Flyer", size="4", gives=f"offer:{made['product']}")
    operator.send(CODES, name="Flyer", size="4", gives=f"offer:{made['percent']}")

    assert (refused.status_code, "A code is used apart from the purchase" in refused.text) == (422, True)
    assert "A percent" in refused.text
    assert f"offer:{made['product']}" not in refused.text
    assert batch(office).subject == made["percent"]


def test_a_large_batch_shows_how_far_it_is(operator: Browser, office: Office) -> None:
    answer = operator.send(CODES, name="Boxes", size="6000", gives="points", points="5")

    page = operator.get(answer.headers["Location"])

    assert (page.headers["Refresh"], "0 of 6,000" in page.text) == ("2", True)


def test_own_codes_are_brought_in_or_judged_row_by_row(operator: Browser, office: Office) -> None:
    fields = {"name": "Own", "gives": "points", "points": "5"}
    faulty = b"code\r\n7K3M9QX2TDS\r\n7K3M9QX2TDT\r\n"

    refused = operator.send(f"{CODES}/bring", **fields, file=(io.BytesIO(faulty), "codes.csv"))
    taken = operator.send(f"{CODES}/bring", **fields, skip="yes", file=(io.BytesIO(faulty), "codes.csv"))
    nothing = operator.send(f"{CODES}/bring", **fields)

    assert refused.status_code == 422
    assert "it would be S" in refused.text
    assert taken.status_code == 303
    assert (batch(office).made, batch(office).state) == (1, "ready")
    assert nothing.status_code == 422


@pytest.mark.parametrize(
    ("over", "status"),
    [({"size": "0"}, 422), ({"size": "1000001"}, 422), ({"gives": "reward:rwd_none"}, 422), ({"name": ""}, 422)],
)
def test_a_batch_that_cannot_be_is_refused(
    operator: Browser, office: Office, over: dict[str, str], status: int
) -> None:
    fields = {"name": "Flyer", "size": "10", "gives": "points", "points": "5", **over}

    assert operator.send(CODES, **fields).status_code == status


def test_another_programme_s_batch_is_not_found(operator: Browser, office: Office) -> None:
    assert operator.get(f"{CODES}/cpb_none").status_code == 404
