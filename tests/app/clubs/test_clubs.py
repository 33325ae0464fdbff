"""Clubs: joined, renewed and over, with local days; and what only their members may open."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.cards.models import Card
from app.clubs import gates, service
from app.clubs.gates import GatedLinkDraft
from app.clubs.models import Club, GatedLink
from app.clubs.service import ClubDraft, Term
from app.errors import AppError, Conflict, Forbidden, Unprocessable
from app.world import World
from tests import factories

NOW = factories.NOW  # 13:00 on 20 November 2026 in Istanbul
YEAR_LATER = datetime(2027, 11, 20, 21, 0, tzinfo=UTC)  # midnight in Istanbul


class ClubHouse:
    def __init__(self, world: World) -> None:
        self.world = world
        with world.database.unit_of_work() as session:
            programme = factories.programme(session)
            self.card = factories.card(session, programme)
            self.other = factories.card(session, programme, "Budi")
            self.club = self._make(session, programme, "wine", "Wine club")
            self.second = self._make(session, programme, "tea", "Tea club")
            self.programme = programme

    @staticmethod
    def _make(session: Any, programme: Any, slug: str, name: str) -> Club:
        return service.create(session, ClubDraft(programme=programme, slug=slug, name=name), by="test", now=NOW)

    def do(self, name: str, *given: Any, club: Club | None = None, now: datetime = NOW, **over: Any) -> Any:
        with self.world.database.unit_of_work() as session:
            of = service.by_id(session, (club or self.club).public_id)
            card = session.get_one(Card, self.card.id)
            return getattr(service, name)(session, of, card, *given, by="staff:stf_1", now=now, **over)

    def segments(self, now: datetime = NOW) -> set[str]:
        with self.world.database.reading() as session:
            return set(service.segments(session, self.card.member_id, now=now))

    def version(self) -> int:
        with self.world.database.reading() as session:
            return session.get_one(Card, self.card.id).version

    def link(self, **over: Any) -> GatedLink:
        with self.world.database.unit_of_work() as session:
            values: dict[str, Any] = {
                "slug": "cellar", "title": "The cellar", "target_url": "https://shop.example/cellar",
                "club": session.merge(self.club), **over,
            }  # fmt: skip
            draft = GatedLinkDraft(programme=session.merge(self.programme), **values)
            return gates.create(session, draft, now=NOW)

    def token(self, *, now: datetime = NOW, card: Card | None = None) -> str:
        with self.world.database.reading() as session:
            return gates.pass_for(session, session.get_one(Card, (card or self.card).id), "cellar", now=now)

    def opens(self, token: str, *, now: datetime = NOW) -> str:
        with self.world.database.reading() as session:
            return gates.target(session, token, now=now)


@pytest.fixture
def house(any_world: World) -> ClubHouse:
    return ClubHouse(any_world)


def test_a_membership_lasts_to_the_same_day_a_year_later_and_is_a_fact_that_rules_ask(house: ClubHouse) -> None:
    before = house.version()

    membership = house.do("join", Term(reference="invoice 12"))

    assert (membership.starts_at, membership.ends_at) == (NOW, YEAR_LATER)
    assert house.segments() == {"club:wine"}
    assert house.segments(YEAR_LATER - timedelta(seconds=1)) == {"club:wine"}
    assert house.segments(YEAR_LATER) == set()
    assert house.version() == before + 1


def test_renewing_goes_on_from_the_end_that_is_still_to_come(house: ClubHouse) -> None:
    house.do("join", Term())

    membership = house.do("renew", Term(reference="invoice 40"), now=NOW + timedelta(days=300))

    assert service.last_day(membership) == date(2028, 11, 20)
    with house.world.database.reading() as session:
        assert [(one.kind, one.reference) for one in service.terms(session, membership)] == [
            ("joined", ""), ("renewed", "invoice 40"),
        ]  # fmt: skip


def test_renewing_what_is_over_goes_on_from_today(house: ClubHouse) -> None:
    house.do("join", Term())
    later = YEAR_LATER + timedelta(days=40)

    membership = house.do("renew", Term(), now=later)

    assert service.last_day(membership) == date(2028, 12, 31)
    assert house.segments(later) == {"club:wine"}


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 11, 30), 120, date(2036, 11, 30)),
    ],
)
def test_months_end_where_the_month_ends(day: date, months: int, expected: date) -> None:
    assert service.months_on(day, months) == expected


def test_a_membership_that_is_over_leaves_the_card_once(house: ClubHouse) -> None:
    house.do("join", Term())
    before = house.version()

    def sweep(now: datetime) -> list[bool]:
        with house.world.database.unit_of_work() as session:
            return [service.drop(session, one, now=now) for one in service.over(session, now=now, limit=10)]

    early = sweep(YEAR_LATER - timedelta(seconds=1))
    late = sweep(YEAR_LATER + timedelta(days=10))
    again = sweep(YEAR_LATER + timedelta(days=10))

    assert (early, late, again) == ([], [True], [])
    assert house.version() == before + 1


def test_leaving_ends_it_at_once(house: ClubHouse) -> None:
    house.do("join", Term())

    house.do("leave", reason="moved away", now=NOW + timedelta(days=1))

    assert house.segments(NOW + timedelta(days=1)) == set()
    with pytest.raises(Conflict) as refused:
        house.do("leave", reason="again", now=NOW + timedelta(days=1))
    assert refused.value.code == "not_in_club"


def test_what_cannot_be_is_refused_with_its_code(house: ClubHouse) -> None:
    codes = []

    def refused(*given: Any, **over: Any) -> None:
        with pytest.raises(AppError) as problem:
            house.do(*given, **over)
        codes.append(problem.value.code)

    refused("renew", Term())
    refused("join", Term(until=date(2026, 11, 19)))
    refused("join", Term(since=date(2026, 12, 1), until=date(2026, 11, 30)))
    refused("join", Term(until=date(2999, 1, 1)))
    refused("join", Term(reference="x" * 101))
    house.do("join", Term())
    refused("join", Term())
    refused("renew", Term(until=date(2027, 11, 20)))
    with house.world.database.unit_of_work() as session:
        service.end(session, service.by_id(session, house.club.public_id))
    refused("renew", Term())

    assert codes == [
        "not_in_club", "invalid_term", "invalid_term", "invalid_term", "invalid_term", "already_in_club",
        "invalid_term", "club_over",
    ]  # fmt: skip


def test_a_second_club_of_the_same_slug_is_refused(house: ClubHouse) -> None:
    with pytest.raises(Conflict) as refused, house.world.database.unit_of_work() as session:
        ClubHouse._make(session, session.merge(house.programme), "wine", "Another")

    assert refused.value.code == "club_exists"


def test_a_token_opens_the_link_for_a_quarter_of_an_hour(house: ClubHouse) -> None:
    house.do("join", Term())
    house.link()

    token = house.token()

    assert house.opens(token, now=NOW + timedelta(minutes=14, seconds=59)) == "https://shop.example/cellar"
    with pytest.raises(Forbidden) as refused:
        house.opens(token, now=NOW + timedelta(minutes=15))
    assert refused.value.code == "link_expired"


def test_who_is_not_in_the_club_gets_no_token_and_who_has_left_it_opens_nothing(house: ClubHouse) -> None:
    house.link()
    with pytest.raises(Forbidden) as stranger:
        house.token()
    house.do("join", Term())
    token = house.token()
    house.do("leave", reason="", now=NOW + timedelta(minutes=1))

    with pytest.raises(Forbidden) as gone:
        house.opens(token, now=NOW + timedelta(minutes=2))

    assert (stranger.value.code, gone.value.code) == ("not_eligible", "not_eligible")


def test_a_token_opens_nothing_for_another_club_or_level(house: ClubHouse) -> None:
    house.do("join", Term())
    made = house.link()
    token = house.token()
    with house.world.database.unit_of_work() as session:
        session.get_one(GatedLink, made.id).club_id = house.second.id

    with pytest.raises(Forbidden) as refused:
        house.opens(token)

    assert refused.value.code == "link_invalid"


def test_a_link_for_a_level_opens_for_cards_of_that_level_alone(house: ClubHouse) -> None:
    gold = next(tier for tier in house.programme.tiers if tier.name == "Gold")
    with house.world.database.unit_of_work() as session:
        session.get_one(Card, house.card.id).tier_id = gold.id
    house.link(club=None, tier=gold)

    assert house.opens(house.token()) == "https://shop.example/cellar"
    with pytest.raises(Forbidden):
        house.token(card=house.other)


@pytest.mark.parametrize("change", ["cut", "flip", "empty", "foreign", "long"])
def test_a_token_that_was_changed_opens_nothing(house: ClubHouse, change: str) -> None:
    house.do("join", Term())
    house.link()
    token = house.token()
    tampered = {
        "cut": token[:-1], "flip": ("A" if token[0] != "A" else "B") + token[1:], "empty": "",
        "foreign": "ışık.1.2", "long": token * 20,
    }[change]  # fmt: skip

    with pytest.raises(Forbidden) as refused:
        house.opens(tampered)

    assert refused.value.code == "link_invalid"


@pytest.mark.parametrize(
    "address",
    [
        "http://shop.example",
        "javascript:alert(1)",
        "https://",
        "https://a b",
        "https://u@shop.example",
        "https://[",
        "",
    ],
)
def test_only_a_whole_secure_address_can_be_gated(house: ClubHouse, address: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        house.link(target_url=address)

    assert set(refused.value.errors) == {"target_url"}
