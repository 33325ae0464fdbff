"""Stamps and clubs on the card of both wallets."""

import pytest
from sqlalchemy import event

from app.cards.models import Card
from app.clubs import keeping
from app.clubs import service as clubs
from app.clubs.service import ClubDraft, Term
from app.lookup import Lookup
from app.wallets import programme as shared
from app.wallets.apple import face as apple
from app.wallets.apple.stencil import cut, kind, own
from app.wallets.google import face as google
from app.wallets.view import CardRow, CardView, card_view, cards_by, draw
from app.world import World
from passes.apple.encode import encode
from passes.apple.model import StoreCard
from passes.google.ids import ResourceId
from tests import factories
from tests.app.stamps.bench import Bench
from tests.conftest import MovableClock


@pytest.fixture
def bench(any_world: World) -> Bench:
    return Bench(any_world, texts={"tr": {"name": "Kahve kartı", "reward": "Bir kahve bizden"}})


def seen(bench: Bench) -> CardView:
    with bench.world.database.reading() as session:
        return card_view(session, session.get_one(Card, bench.card.id), now=bench.world.clock())


def on_apple(bench: Bench) -> StoreCard:
    return apple.store_card(seen(bench), base_url="https://x.example", token="t" * 64)


def on_google(bench: Bench) -> dict[str, str]:
    place = google.Place(issuer="3388", base_url="https://x.example", callback_url=None)
    drawn = google.loyalty_object(seen(bench), id=ResourceId(issuer="3388", suffix="card.1"), at=place)
    return {module.id: module.body.value for module in drawn.text_modules}


def in_club(bench: Bench) -> None:
    with bench.world.database.unit_of_work() as session:
        draft = ClubDraft(
            programme=session.merge(bench.programme), slug="wine", name="Wine club", benefits="First pick"
        )
        club = clubs.create(session, draft, by="test", now=bench.now)
        clubs.join(session, club, session.get_one(Card, bench.card.id), Term(), by="test", now=bench.now)


def test_stamps_stand_on_the_front_and_with_their_reward_behind(bench: Bench) -> None:
    bench.stamp(7)

    card = on_apple(bench)

    [front] = [field for field in card.secondary if field.key == "stamps"]
    [behind] = [field for field in card.back if field.key == "stamp-cards"]
    assert (front.label, front.value) == ("Coffee card", "7 of 10")
    assert behind.value == "Coffee card\n●●●●●●●○○○ 7 of 10\nOne free coffee"
    assert on_google(bench)["stamp-cards"] == behind.value


def test_a_reward_that_is_ready_stands_on_the_front_before_the_stamps(bench: Bench) -> None:
    bench.stamp(13)

    [front] = [field for field in on_apple(bench).secondary if field.key == "stamps"]

    assert (front.label, front.value) == ("Coffee card", "1 ready · 3 of 10")


def test_a_member_before_the_first_stamp_sees_an_empty_card(bench: Bench) -> None:
    assert on_google(bench)["stamp-cards"] == "Coffee card\n○○○○○○○○○○ 0 of 10\nOne free coffee"


def test_the_last_stamp_and_a_reward_to_use_are_said(bench: Bench) -> None:
    bench.stamp(9)
    near = on_google(bench)["stamp-cards"]
    bench.stamp(11)
    reached = on_google(bench)["stamp-cards"]

    assert near.endswith("One more stamp: One free coffee")
    assert reached == "Coffee card\nYours to use: 2 × One free coffee\n○○○○○○○○○○ 0 of 10"


def test_a_card_speaks_its_holders_language(bench: Bench) -> None:
    bench.stamp(3)
    with bench.world.database.unit_of_work() as session:
        session.get_one(Card, bench.card.id).member.language = "tr"

    assert on_google(bench)["stamp-cards"].startswith("Kahve kartı\n●●●○○○○○○○ ")


def test_a_long_stamp_card_stands_on_the_front_in_figures(any_world: World) -> None:
    bench = Bench(any_world, size=40)
    bench.stamp(23)

    [front] = [field for field in on_apple(bench).secondary if field.key == "stamps"]

    assert front.value == "23 of 40"


def test_a_club_stands_on_the_card_until_it_is_over(bench: Bench, clock: MovableClock) -> None:
    in_club(bench)
    with_it = on_google(bench)
    version = seen(bench).version
    clock.advance(days=366)

    dropped = [keeping.drop_over(bench.world) for _ in range(3)]

    [text] = [words for key, words in with_it.items() if key.startswith("club-")]
    assert text == "Until 20 Nov 2027\nFirst pick"
    assert not [key for key in on_google(bench) if key.startswith("club-")]
    assert dropped == [1, 0, 0]
    assert seen(bench).version == version + 1


def test_stamps_cost_a_view_no_further_statement_however_many_there_are(bench: Bench) -> None:
    statements: list[str] = []
    event.listen(bench.world.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

    def cost() -> int:
        statements.clear()
        seen(bench)
        return sum(1 for one in statements if one.startswith("SELECT"))

    before = cost()
    bench.make(name="Tea card", item_kind="product", item="tea", gives="piece")
    in_club(bench)
    bench.stamp(12)

    assert cost() == before


def test_cards_with_different_stamps_are_written_with_one_stencil(world: World) -> None:
    bench = Bench(world)
    bench.stamp(7)
    with world.database.unit_of_work() as session:
        other = factories.card(session, session.merge(bench.programme), "Budi")
    with world.database.reading() as session:
        known = shared.facts(session, [bench.programme.id])[bench.programme.id]
    rows = {row.card_id: row for row in map(CardRow._make, Lookup(cards_by()).all(world.database))}
    ours, theirs = (draw(rows[one.id], known, vault=world.vault, now=bench.now) for one in (bench.card, other))

    filled = cut(theirs, base_url="https://x.example").fill(own(rows[bench.card.id], ours, "ab" * 32))

    assert kind(rows[bench.card.id], ours) == kind(rows[other.id], theirs)
    assert filled == encode(apple.store_card(ours, base_url="https://x.example", token="ab" * 32))
    assert "●●●●●●●○○○ 7 of 10" in filled.decode()
