"""Stamp cards and clubs on the operator's pages: made, previewed, changed, refused."""

import pytest

from app.clubs import service as clubs
from app.stamps import service as stamps
from app.stamps.models import StampCard
from tests.app.admin.conftest import Browser, Office

ADDRESS = "/admin/programmes/kahve/stamps"
CLUBS = "/admin/programmes/kahve/clubs"
COFFEE = {
    "name": "Coffee card", "reward": "One free coffee", "size": "10", "gives": "visit", "item_kind": "any",
    "reward_kind": "item", "cool_down_min": "10", "name-tr": "Kahve kartı", "ends_on": "2026-12-31", "do": "save",
}  # fmt: skip


def all_cards(office: Office) -> list[StampCard]:
    with office.world.database.reading() as session:
        return stamps.of_programme(session, office.programme.id)


def test_a_stamp_card_is_made_and_stands_in_the_audit_log(operator: Browser, office: Office) -> None:
    page = operator.follow(operator.send(ADDRESS, **COFFEE))

    [made] = all_cards(office)
    assert "Coffee card" in page
    assert (made.size, made.texts, made.state) == (10, {"tr": {"name": "Kahve kartı"}}, "live")
    assert made.ends_at is not None
    assert made.ends_at.isoformat() == "2026-12-31T21:00:00+00:00"  # midnight in Istanbul
    [event] = office.events("stamp_card_created")
    assert event.subject == f"stamp_card:{made.public_id}"


def test_a_preview_shows_how_it_will_look_and_makes_nothing(operator: Browser, office: Office) -> None:
    page = operator.send(ADDRESS, **{**COFFEE, "do": "preview"})

    assert page.status_code == 200
    assert "●●●●●●●○○○" in page.text
    assert "Kahve kartı" in page.text
    assert 'value="Coffee card"' in page.text
    assert all_cards(office) == []


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("size", "1", "2 to 50 stamps"),
        ("size", "51", "2 to 50 stamps"),
        ("size", "0", "2 to 50 stamps"),
        ("size", "ten", "2 to 50 stamps"),
        ("name", "", "1 to 40 characters"),
        ("name", "bell\x07", "cannot be shown"),
        ("ends_on", "2026-11-01", "over already"),
        ("ends_on", "0001-01-01", "Choose a day"),
        ("ends_on", "soon", "Choose a day"),
        ("priority", "first", "whole number"),
        ("stamps_live_days", "0", "1 to 3660 days"),
        ("gives", "luck", "per visit, piece or amount"),
    ],
)
def test_a_faulty_stamp_card_is_refused_beside_its_field(
    operator: Browser, office: Office, field: str, value: str, sentence: str
) -> None:
    answer = operator.send(ADDRESS, **{**COFFEE, field: value})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert f'id="e-{field}"' in answer.text
    assert all_cards(office) == []


def test_a_second_one_for_the_same_item_is_refused_at_save(operator: Browser, office: Office) -> None:
    operator.send(ADDRESS, **COFFEE)

    answer = operator.send(ADDRESS, **{**COFFEE, "name": "Second"})

    assert answer.status_code == 422
    assert "live for the same item" in answer.text
    assert len(all_cards(office)) == 1


def test_a_stamp_card_is_changed_and_ended(operator: Browser, office: Office) -> None:
    operator.send(ADDRESS, **COFFEE)
    [made] = all_cards(office)
    form = operator.get(f"{ADDRESS}/{made.public_id}").text

    operator.follow(operator.send(f"{ADDRESS}/{made.public_id}", **{**COFFEE, "size": "8"}))
    operator.follow(operator.send(f"{ADDRESS}/{made.public_id}/end"))
    too_late = operator.send(f"{ADDRESS}/{made.public_id}", **COFFEE)

    assert 'value="2026-12-31"' in form
    [after] = all_cards(office)
    assert (after.size, after.state, too_late.status_code) == (8, "ended", 409)
    assert len(office.events("stamp_card_changed")) == len(office.events("stamp_card_ended")) == 1


def test_clubs_take_members_renew_them_and_gate_links(operator: Browser, office: Office) -> None:
    operator.follow(operator.send(CLUBS, **{"club-name": "Wine club", "club-slug": "wine", "club-term_months": "12"}))
    with office.world.database.reading() as session:
        [club] = clubs.of_programme(session, office.programme.id)
    told = {"term-number": office.card.number, "term-club": club.public_id, "term-reference": "invoice 7"}

    operator.follow(operator.send(f"{CLUBS}/members", **told, do="join"))
    page = operator.follow(operator.send(f"{CLUBS}/members", **told, do="renew"))
    link = {
        "link-title": "The cellar", "link-slug": "cellar", "link-target_url": "https://shop.example/c",
        "link-gate": f"club:{club.public_id}",
    }  # fmt: skip
    gated = operator.follow(operator.send(f"{CLUBS}/links", **link))

    assert "2028-11-20" in page
    assert "The cellar" in gated
    assert len(office.events("club_joined")) == len(office.events("club_renewed")) == 1
    assert len(office.events("gated_link_created")) == 1


@pytest.mark.parametrize(
    ("path", "fields", "field"),
    [
        ("", {"club-name": "Wine", "club-slug": "Wine!", "club-term_months": "12"}, "club-slug"),
        ("", {"club-name": "Wine", "club-slug": "wine", "club-term_months": "0"}, "club-term_months"),
        ("/members", {"term-number": "nobody", "do": "join"}, "term-number"),
        ("/links", {"link-slug": "a", "link-title": "A", "link-target_url": "http://x"}, "link-target_url"),
    ],
)
def test_what_is_refused_of_a_club_is_said_beside_its_field(
    operator: Browser, office: Office, path: str, fields: dict[str, str], field: str
) -> None:
    with office.world.database.unit_of_work() as session:
        draft = clubs.ClubDraft(programme=session.merge(office.programme), slug="tea", name="Tea club")
        club = clubs.create(session, draft, by="test", now=office.world.clock())

    answer = operator.send(f"{CLUBS}{path}", **{"term-club": club.public_id, **fields})

    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
