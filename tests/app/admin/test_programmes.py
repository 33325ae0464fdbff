"""Programmes, stores and rewards: made and refused."""

import pytest
from sqlalchemy import func, select

from app.cards.models import Expansion, Programme, Store
from app.rewards.models import Reward
from app.staff.models import Staff
from app.world import World
from tests import factories
from tests.app.admin.conftest import Browser, Office

NEW = {
    "slug": "teh-manis",
    "name": "Teh Manis",
    "currency": "idr",
    "timezone": "Asia/Jakarta",
    "language": "id",
    "organization_name": "",
    "pass_type_identifier": "pass.com.example.teh",
    "team_identifier": "a1b2c3d4e5",
    "earn.points": "2",
    "earn.per": "10000",
    "tiers.0.name": "Perak",
    "tiers.0.threshold": "0",
    "tiers.2.name": "Emas",
    "tiers.2.threshold": "1000000",
    "tiers.2.multiplier": "1,5",
    "tiers.2.background_color": "#5c4300",
}
STORE = {"name": "Beşiktaş", "timezone": "Europe/Istanbul", "latitude": "41,0422", "longitude": "29.0083"}


def count(world: World, table: type) -> int:
    with world.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_programme_is_made_with_its_tiers_wherever_their_rows_stand(operator: Browser, office: Office) -> None:
    page = operator.follow(operator.send("/admin/programmes", **NEW))

    assert "Teh Manis" in page
    with office.world.database.reading() as session:
        made = session.scalars(select(Programme).where(Programme.slug == "teh-manis")).one()
        tiers = [(one.name, one.threshold_minor, one.multiplier_num, one.multiplier_den) for one in made.tiers]
    assert (made.currency, made.team_identifier, made.organization_name) == ("IDR", "A1B2C3D4E5", "Teh Manis")
    assert tiers == [("Perak", 0, 1, 1), ("Emas", 100_000_000, 3, 2)]
    [event] = office.events("programme_created")
    assert event.subject == f"programme:{made.public_id}"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("slug", "Teh Manis!", "small letters, digits and dashes"),
        ("slug", "kahve", "a programme with this short name already"),
        ("name", "", "1 to 100 characters"),
        ("name", "bell\x07", "cannot be shown"),
        ("currency", "XXX9", "ISO 4217"),
        ("timezone", "Mars/Olympus", "Choose a time zone"),
        ("language", "tlh", "one of the languages"),
        ("pass_type_identifier", "com.example", "registered with Apple"),
        ("team_identifier", "A1", "ten characters"),
        ("earn.points", "many", "whole number from 0"),
        ("earn.points", "9" * 40, "whole number from 0"),
        ("earn.per", "ten", "decimal string"),
        ("earn.per", "0", "above zero"),
        ("tiers.0.threshold", "lots", "decimal string"),
        ("tiers.0.background_color", "gold", "#rrggbb"),
    ],
)
def test_a_faulty_programme_is_refused_beside_its_field_with_the_input_kept(
    operator: Browser, office: Office, field: str, value: str, sentence: str
) -> None:
    answer = operator.send("/admin/programmes", **{**NEW, "description": "kept as typed", field: value})

    assert answer.status_code in {409, 422}
    assert sentence in answer.text
    assert f'id="e-{field}"' in answer.text
    assert "kept as typed" in answer.text
    assert count(office.world, Programme) == 1


def test_enrolment_is_paused_resumed_and_ended_and_each_is_noted(operator: Browser, office: Office) -> None:
    for status in ("paused", "live", "ended", "live"):
        operator.follow(operator.send("/admin/programmes/kahve/status", status=status))
        assert office.fresh().status == status

    changes = [(one.before, one.after) for one in office.events("programme_status_changed")]
    assert changes[0] == ({"status": "live"}, {"status": "paused"})
    assert len(changes) == 4


@pytest.mark.parametrize("status", ["", "deleted", "live; DROP TABLE card"])
def test_there_is_no_other_status(operator: Browser, office: Office, status: str) -> None:
    assert operator.send("/admin/programmes/kahve/status", status=status).status_code == 422
    assert office.fresh().status == "live"


def test_a_programme_that_is_not_there_is_not_found(operator: Browser) -> None:
    for page in ("", "/look", "/stores", "/rewards"):
        assert operator.get(f"/admin/programmes/nowhere{page}").status_code == 404


def test_a_store_is_added_and_brought_to_cards_with_its_place(operator: Browser, office: Office) -> None:
    page = operator.follow(operator.send("/admin/programmes/kahve/stores", **STORE))

    assert "41.0422, 29.0083" in page
    assert count(office.world, Expansion) == 1
    assert len(office.events("store_created")) == 1


def test_the_regions_of_all_stores_are_written_together_or_not_at_all(operator: Browser, office: Office) -> None:
    for name in ("Moda", "Çankaya"):
        operator.follow(operator.send("/admin/programmes/kahve/stores", name=name, region="Marmara"))

    def regions(**typed: str) -> tuple[int, list[str]]:
        with office.world.database.reading() as session:
            ids = {one.name: one.public_id for one in session.scalars(select(Store))}
        fields = {f"region.{ids[name]}": region for name, region in typed.items()}
        answer = operator.send("/admin/programmes/kahve/stores/regions", **fields)
        with office.world.database.reading() as session:
            wanted = select(Store.region).where(Store.name.in_(("Moda", "Çankaya")))
            return answer.status_code, list(session.scalars(wanted.order_by(Store.name.desc())))

    assert regions(Çankaya=" İç  Anadolu ") == (303, ["İç Anadolu", "Marmara"])
    assert regions(Moda="Ege", Çankaya="x" * 61) == (422, ["İç Anadolu", "Marmara"])
    assert regions(Moda="")[1] == ["İç Anadolu", ""]
    assert len(office.events("store_region_set")) == 2


def test_a_store_without_a_place_disturbs_no_phone(operator: Browser, office: Office) -> None:
    operator.follow(operator.send("/admin/programmes/kahve/stores", name="Moda"))

    with office.world.database.reading() as session:
        store = session.scalars(select(Store).where(Store.name == "Moda")).one()
    assert store.timezone == "Europe/Istanbul"
    assert count(office.world, Expansion) == 0


@pytest.mark.parametrize(
    ("over", "field", "sentence"),
    [
        ({"name": " "}, "name", "1 to 100 characters"),
        ({"name": "x" * 101}, "name", "1 to 100 characters"),
        ({"name": "a\x00b"}, "name", "1 to 100 characters"),
        ({"name": "Kadıköy"}, "name", "with this name already"),
        ({"timezone": "Nowhere/City"}, "timezone", "Choose a time zone"),
        ({"latitude": ""}, "latitude", "both latitude and longitude"),
        ({"latitude": "north"}, "latitude", "Write degrees"),
        ({"latitude": "NaN"}, "latitude", "Write degrees"),
        ({"latitude": "1e9999999"}, "latitude", "Latitude lies between"),
        ({"longitude": "181"}, "longitude", "Longitude lies between"),
    ],
)
def test_a_faulty_store_is_refused_beside_its_field_with_the_input_kept(
    operator: Browser, office: Office, over: dict[str, str], field: str, sentence: str
) -> None:
    answer = operator.send("/admin/programmes/kahve/stores", **{**STORE, **over})

    assert answer.status_code in {409, 422}
    assert sentence in answer.text
    assert f'id="e-{field}"' in answer.text
    assert "29.0083" in answer.text or field == "longitude"
    assert count(office.world, Store) == 1


def test_a_reward_is_added_shown_and_taken_off(operator: Browser, office: Office) -> None:
    fields = {"name": "A coffee", "points": "40", "name-tr": "Bir kahve"}
    page = operator.follow(operator.send("/admin/programmes/kahve/rewards", **fields))
    assert "A coffee" in page
    assert "Bir kahve" in page
    with office.world.database.reading() as session:
        reward = session.scalars(select(Reward)).one()

    page = operator.follow(operator.send(f"/admin/programmes/kahve/rewards/{reward.public_id}/end"))

    assert "No rewards yet" in page
    assert [len(office.events(action)) for action in ("reward_added", "reward_ended")] == [1, 1]
    assert office.fresh().design_version == 3

    operator.send(f"/admin/programmes/kahve/rewards/{reward.public_id}/end")
    assert office.fresh().design_version == 3
    assert operator.send("/admin/programmes/kahve/rewards/rwd_none/end").status_code == 404


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"name": ""}, "name"),
        ({"points": "0"}, "points"),
        ({"points": "-5"}, "points"),
        ({"points": "1.5"}, "points"),
        ({"points": "٤٠"}, "points"),
        ({"points": "9" * 12}, "points"),
        ({"name-id": "x" * 101}, "name-id"),
    ],
)
def test_a_faulty_reward_is_refused_beside_its_field(
    operator: Browser, office: Office, over: dict[str, str], field: str
) -> None:
    answer = operator.send("/admin/programmes/kahve/rewards", **{"name": "A coffee", "points": "40", **over})

    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    assert count(office.world, Reward) == 0


def test_another_programme_s_reward_is_not_found(operator: Browser, office: Office) -> None:
    assert operator.send("/admin/programmes/kahve/rewards/rwd_none/end").status_code == 404


def test_pages_without_anything_say_what_to_do_next(app, world: World) -> None:
    with world.database.unit_of_work() as session:
        owner: Staff = factories.staff(session, "owner")
    browser = Browser(app, owner)

    assert "No programme yet" in browser.get("/admin/programmes").text
    assert "Make the first one" in browser.get("/admin").text
    assert "No keys yet" in browser.get("/admin/keys").text
    assert "No pass type is in use yet" in browser.get("/admin/certificates").text
    deliveries = browser.get("/admin/deliveries").text
    for words in ("No wallet holds a card yet", "Nobody is behind", "No sender yet", "Nothing was sent yet"):
        assert words in deliveries
    assert browser.get("/admin/cards").status_code == 200


def test_pages_of_a_programme_without_anything_say_what_to_do_next(operator: Browser, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        factories.programme(session, slug="empty", name="Empty", tiers=())

    assert "No store yet" in operator.get("/admin/programmes/empty/stores").text
    rewards = operator.get("/admin/programmes/empty/rewards").text
    assert "No rewards yet" in rewards
    assert "A made-up card" in operator.get("/admin/programmes/empty/look").text
