"""Tiers changed after a look at who moves, and given by hand."""

import pytest
from sqlalchemy import select

from app.cards.models import Card, Tier
from app.counter import sales
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.tiers import changing, nightly
from app.world import World
from tests.app.admin.conftest import Browser, Office

PAGE = "/admin/programmes/kahve/tiers"
TILL = Actor(name="staff:till", channel="till")


def typed(office: Office, **over: str) -> dict[str, str]:
    """The page's form as it stands, with some fields typed over."""
    with office.world.database.reading() as session:
        silver, gold = session.scalars(select(Tier).order_by(Tier.position))
    return {
        "tiers.0.id": str(silver.id), "tiers.0.name": "Silver", "tiers.0.threshold": "2000.00",
        "tiers.0.multiplier": "1", "tiers.1.id": str(gold.id), "tiers.1.name": "Gold",
        "tiers.1.threshold": "6000.00", "tiers.1.multiplier": "1,5", "tiers.1.background_color": "#5c4300",
        "metric": "spend", "window": "rolling", "months": "12", "validity_months": "12", "grace_days": "30",
        "drop": "one_step", "do": "save", **{name.replace("__", "."): value for name, value in over.items()},
    }  # fmt: skip


@pytest.fixture
def buyer(office: Office) -> Card:
    """Silver with 2,500."""
    with office.world.database.unit_of_work() as session:
        card = session.get_one(Card, office.card.id)
        sales.earn(session, card, Sale(amount_minor=250_000, currency="TRY"), by=TILL, now=office.world.clock())
    return office.card


def tier_of(world: World, card: Card) -> str | None:
    with world.database.reading() as session:
        found = session.get_one(Card, card.id).tier
        return found.name if found else None


def test_who_would_move_is_shown_before_anything_is_saved(operator: Browser, office: Office, buyer: Card) -> None:
    wanted = typed(office, tiers__1__threshold="2400", do="preview")

    page = operator.send(PAGE, **wanted).get_data(as_text=True)

    assert "Of 1 members, 1 go up and 0 go down at once." in page
    assert 'value="2400"' in page
    assert not office.events("tiers_changed")
    operator.follow(operator.send(PAGE, **{**wanted, "do": "save"}))
    nightly.work(office.world)
    assert tier_of(office.world, buyer) == "Gold"
    [event] = office.events("tiers_changed")
    assert event.before == {"tiers.1.threshold": "6000.00"}
    assert event.after == {"tiers.1.threshold": "2400"}


def test_a_new_tier_takes_its_place_by_its_threshold(operator: Browser, office: Office) -> None:
    operator.send(PAGE, **typed(office, tiers__2__name="Bronze", tiers__2__threshold="500"))

    with office.world.database.reading() as session:
        names = list(session.scalars(select(Tier.name).order_by(Tier.position)))
    assert names == ["Bronze", "Silver", "Gold"]


def test_a_tier_in_use_stays_and_the_page_says_how_many_have_it(operator: Browser, office: Office, buyer: Card) -> None:
    answer = operator.send(PAGE, **typed(office, tiers__0__delete="yes"))

    assert answer.status_code == 409
    assert "Members who have the tier Silver: 1." in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"tiers__1__threshold": "2000"}, "tiers.1.threshold"),
        ({"tiers__2__name": "Bronze", "tiers__2__threshold": "x"}, "tiers.2.threshold"),
        ({"tiers__2__name": "Bronze", "tiers__2__threshold": "10", "tiers__2__multiplier": "0"}, "tiers.2.multiplier"),
        ({"months": "0"}, "months"),
        ({"months": ""}, "months"),
        ({"validity_months": "0"}, "validity_months"),
        ({"grace_days": "-1"}, "grace_days"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(
    operator: Browser, office: Office, over: dict[str, str], field: str
) -> None:
    answer = operator.send(PAGE, **typed(office, **over))

    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.get_data(as_text=True)


def test_rules_are_changed(operator: Browser, office: Office) -> None:
    operator.send(PAGE, **typed(office, window="calendar", drop="to_metric", grace_days="0", strict="yes"))

    with office.world.database.reading() as session:
        policy = changing.policy_of(session, office.programme.id)
    assert (policy.window.value, policy.drop.value, policy.grace_days, policy.strict) == (
        "calendar", "to_metric", 0, True,
    )  # fmt: skip


def test_a_tier_is_given_by_hand_and_taken_back(operator: Browser, office: Office) -> None:
    with office.world.database.reading() as session:
        gold = session.scalars(select(Tier.id).where(Tier.name == "Gold")).one()
    form = {"card": office.card.number, "tier": str(gold), "until": "2027-06-30", "reason": "Hotel partner"}

    page = operator.follow(operator.send(f"{PAGE}/grant", **form, do="give"))

    assert "Gold, valid to 30 Jun 2027" in page
    assert tier_of(office.world, office.card) == "Gold"
    [event] = office.events("tier_granted")
    assert (event.after, event.reason) == ({"tier": "Gold", "until": "2027-06-30"}, "Hotel partner")
    operator.send(f"{PAGE}/grant", **form, do="end")
    assert tier_of(office.world, office.card) is None
    assert office.events("tier_grant_ended")


@pytest.mark.parametrize(
    ("over", "field", "status"),
    [
        ({"card": "00000000000"}, "card", 404),
        ({"until": "2020-01-01"}, "until", 422),
        ({"until": "soon"}, "until", 422),
        ({"reason": ""}, "reason", 422),
        ({"tier": "x"}, "tier", 422),
    ],
)
def test_a_faulty_grant_is_refused(
    operator: Browser, office: Office, over: dict[str, str], field: str, status: int
) -> None:
    with office.world.database.reading() as session:
        gold = session.scalars(select(Tier.id).where(Tier.name == "Gold")).one()
    form = {"card": office.card.number, "tier": str(gold), "until": "2027-06-30", "reason": "Partner", "do": "give"}

    answer = operator.send(f"{PAGE}/grant", **{**form, **over})

    assert answer.status_code == status
    assert f'id="e-{field}"' in answer.get_data(as_text=True)
