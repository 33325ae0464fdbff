"""Which value stands where on an iPhone, and what makes a sound."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

import pytest

from app.cards.design import Design, contrast
from app.earning.windows import Window
from app.offers.terms import Terms
from app.wallets.apple import face
from app.wallets.notes import Expiring
from app.wallets.view import CardView, MessageView, OfferView, ProgrammeView, RewardView, StoreView, TierView
from passes.apple.encode import encode

NOW = datetime(2026, 11, 21, 10, 0, 5, tzinfo=UTC)
SILVER = TierView(
    id=1, position=1, name="Silver", texts={"tr": "Gümüş"}, threshold_minor=200_000, background_color=None
)
GOLD = TierView(id=2, position=2, name="Gold", texts={}, threshold_minor=600_000, background_color="#f5d76e")
OFFER = OfferView(
    id=9,
    public_id="off_9",
    title="Double points",
    body="On every cup.",
    texts={"tr": {"title": "Çift puan", "body": "Her fincanda."}},
    starts_at=NOW,
    ends_at=datetime(2026, 12, 31, 21, 0, tzinfo=UTC),
    timezone="Europe/Istanbul",
    announce=True,
)
PROGRAMME = ProgrammeView(
    id=1,
    public_id="prg_1",
    slug="kahve",
    name="Kahve Durağı",
    currency="TRY",
    timezone="Europe/Istanbul",
    language="tr",
    status="live",
    pass_type_identifier="pass.com.example.kahve",
    team_identifier="A1B2C3D4E5",
    organization_name="Kahve Durağı AŞ",
    description="Loyalty card",
    design=Design(terms={"en": "Be kind.", "tr": "Nazik olun."}, website="https://kahve.example", contact="0532"),
    design_version=1,
    tiers=(SILVER, GOLD),
    stores=(),
    rewards=(RewardView(id=1, public_id="rew_1", name="Coffee", texts={"tr": "Kahve"}, points=100),),
)
VIEW = CardView(
    card_id=1,
    member_id=1,
    number="7K3M9QX2TDS",
    serial="s" * 32,
    link="l" * 32,
    status="active",
    version=4,
    modified_at=NOW,
    as_of=NOW,
    language="en",
    short_name="Ayşe Y.",
    balance=52,
    qualifying_minor=250_050,
    programme=PROGRAMME,
    tier=SILVER,
    next_tier=GOLD,
    offers=(),
    latest=None,
    latest_is_news=False,
).with_notes()


def drawn(view: CardView) -> dict[str, Any]:
    encoded = encode(face.store_card(view, base_url="https://cards.example.com", token="t" * 64))
    decoded: dict[str, Any] = json.loads(encoded)
    return decoded


def fields(content: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of the pass by its key."""
    return {one["key"]: one for group in content["storeCard"].values() for one in group}


def test_the_balance_is_a_whole_number_in_the_header_and_its_change_makes_a_sound() -> None:
    (balance,) = drawn(VIEW)["storeCard"]["headerFields"]

    assert balance == {"key": "balance", "label": "Points", "value": 52, "changeMessage": "New balance: %@"}


def test_the_front_names_tier_member_and_what_the_next_tier_needs() -> None:
    found = fields(drawn(VIEW))

    assert found["tier"]["value"] == "Silver"
    assert found["member"]["value"] == "Ayşe Y."
    assert (found["next"]["label"], found["next"]["value"]) == ("To Gold", "3,499.50 TRY")


def test_a_live_offer_has_the_row_below_the_strip_to_itself() -> None:
    content = drawn(VIEW.with_offers([OFFER]))["storeCard"]

    assert [one["key"] for one in content["auxiliaryFields"]] == ["offer", "offer-ends"]
    assert content.get("secondaryFields", []) == []
    assert {"member", "next"} <= {one["key"] for one in content["backFields"]}


def test_points_that_expire_leave_room_for_one_more_field_and_the_name_is_read_behind() -> None:
    expiring = Expiring(units=12, last_on=date(2026, 12, 5), is_near=False)

    content = drawn(replace(VIEW, expiring=expiring))["storeCard"]

    row = [one for name in ("secondaryFields", "auxiliaryFields") for one in content[name]]
    assert [one["key"] for one in row] == ["next", "expiring"]
    assert (row[1]["label"], row[1]["value"]) == ("Expiring", "12 · 5 Dec")
    assert "member" in {one["key"] for one in content["backFields"]}


def test_an_offer_stands_on_the_front_with_its_end_on_the_shops_clock() -> None:
    found = fields(drawn(VIEW.with_offers([OFFER])))

    assert found["offer"]["value"] == "Double points"
    assert found["offer-ends"]["value"] == "2026-12-31T23:59:00+03:00"
    assert found["offer-ends"]["ignoresTimeZone"] is True
    assert "changeMessage" not in found["offer"]
    assert "Double points\nOn every cup." in found["offers"]["value"]


def test_the_announcement_is_heard_once_and_its_end_is_silent() -> None:
    quiet = fields(drawn(VIEW))["latest"]
    news = fields(drawn(VIEW.with_offers([OFFER])))["latest"]
    back_to_an_older_one = fields(drawn(replace(VIEW.with_offers([OFFER]), latest_is_news=False)))["latest"]

    assert quiet == {"key": "latest", "label": "Latest", "value": "No news at the moment"}
    assert news["changeMessage"] == "%@"
    assert news["value"].startswith("Double points – until Dec 31, 2026")
    assert "changeMessage" not in back_to_an_older_one


def test_an_offer_that_is_not_announced_makes_no_sound() -> None:
    found = fields(drawn(VIEW.with_offers([replace(OFFER, announce=False)])))

    assert "changeMessage" not in found["latest"]
    assert found["offer"]["value"] == "Double points"


def test_the_same_title_announced_again_is_another_value() -> None:
    later = replace(OFFER, id=10, ends_at=OFFER.ends_at + timedelta(days=7))

    first, second = (fields(drawn(VIEW.with_offers([one])))["latest"]["value"] for one in (OFFER, later))

    assert first != second


def test_texts_are_in_the_holders_language() -> None:
    found = fields(drawn(replace(VIEW, language="tr").with_offers([OFFER])))

    assert found["offer"]["value"] == "Çift puan"
    assert found["tier"]["value"] == "Gümüş"
    assert found["terms"]["value"] == "Nazik olun."
    assert "Kahve: 100" in found["rewards"]["value"]


def test_the_barcode_is_a_qr_that_names_the_card_with_the_number_in_words_under_it() -> None:
    content = drawn(VIEW)

    assert content["barcodes"] == [
        {
            "format": "PKBarcodeFormatQR",
            "message": "LY1:7K3M9QX2TDS",
            "messageEncoding": "iso-8859-1",
            "altText": "7K3M 9QX2 TDS",
        }
    ]


def test_the_keys_of_fields_do_not_depend_on_what_they_hold() -> None:
    always = {"balance", "tier", "latest", "offers", "as-of", "page"}

    for view in (VIEW, VIEW.with_offers([OFFER]), replace(VIEW, language="tr"), replace(VIEW, balance=0)):
        assert always <= set(fields(drawn(view)))


def test_an_erased_card_says_that_it_is_void_and_nothing_about_the_person() -> None:
    content = drawn(replace(VIEW, status="erased", short_name="", offers=(), latest=None))

    text = json.dumps(content)
    assert content["voided"] is True
    assert "barcodes" not in content
    assert fields(content)["tier"]["value"] == "No longer valid"
    assert set(fields(content)) == {"tier", "terms", "contact", "website", "as-of"}
    assert all(private not in text for private in ("Ayşe", "7K3M", VIEW.link, "changeMessage"))


def test_a_voided_card_is_grey_and_silent() -> None:
    content = drawn(replace(VIEW, status="voided"))

    assert content["voided"] is True
    assert "changeMessage" not in fields(content)["balance"]


def test_the_tiers_colour_is_used_with_text_that_can_be_read_on_it() -> None:
    background, foreground, label = face.colours(replace(VIEW, tier=GOLD))

    assert background == "#f5d76e"
    assert contrast(foreground, background) >= 4.5
    assert contrast(label, background) >= 4.5


def test_at_most_ten_shops_are_places_and_their_degrees_are_numbers() -> None:
    stores = tuple(
        StoreView(id=n, public_id=f"s{n}", name=f"Shop {n}", timezone="UTC", latitude=41.0 + n / 7, longitude=29.1)
        for n in range(15)
    )
    nowhere = replace(stores[0], latitude=None)

    places = drawn(replace(VIEW, programme=replace(PROGRAMME, stores=(nowhere, *stores))))["locations"]

    assert len(places) == 10
    assert places[1] == {"latitude": 41.142857, "longitude": 29.1, "relevantText": "Shop 1"}


def test_without_a_token_the_card_never_asks_for_updates() -> None:
    content = json.loads(encode(face.store_card(VIEW, base_url="https://cards.example.com", token=None)))

    assert "webServiceURL" not in content
    assert "authenticationToken" not in content


def test_a_programme_without_tiers_shows_what_membership_brings() -> None:
    programme = replace(PROGRAMME, tiers=(), design=Design(benefit={"en": "Every tenth coffee is free, always"}))

    found = fields(drawn(replace(VIEW, programme=programme, tier=None, next_tier=None).with_notes()))

    assert found["tier"]["value"] == "Every tenth coffee is…"
    assert "next" not in found


def test_a_card_without_tier_or_benefit_is_headed_by_its_member_once() -> None:
    found = fields(drawn(replace(VIEW, tier=None)))

    assert (found["tier"]["label"], found["tier"]["value"]) == ("Member", "Ayşe Y.")
    assert "member" not in found


@pytest.mark.parametrize(
    ("words", "characters", "shown"),
    [
        ("short", 10, "short"),
        ("exactly ten", 11, "exactly ten"),
        ("Every tenth coffee is free", 22, "Every tenth coffee is…"),
        ("Donaudampfschifffahrtsgesellschaft", 10, "Donaudamp…"),
        ("a, b and then some more", 8, "a, b an…"),
        ("  padded  ", 10, "padded"),
        ("", 5, ""),
    ],
)
def test_long_words_are_shortened_by_rule(words: str, characters: int, shown: str) -> None:
    assert face.shortened(words, characters) == shown
    assert len(face.shortened(words, characters)) <= characters


def test_hostile_texts_make_a_valid_pass() -> None:
    nasty = '</script>"\\\u202e%@%s {x} 🎉'
    offer = replace(OFFER, title=nasty, body=nasty, texts={})
    programme = replace(PROGRAMME, name=nasty, design=Design(about={"en": nasty}))

    found = fields(drawn(replace(VIEW, short_name=nasty, programme=programme).with_offers([offer])))

    assert nasty in found["latest"]["value"]
    assert found["about"]["value"] == nasty


MESSAGE = MessageView(
    id="cmp_1-7",
    run_id=7,
    line="Ayşe, 120 points wait · 21 Nov",
    title="Ayşe, 120 points wait",
    body="Only 30 more to a free coffee.",
    starts_at=NOW,
    ends_at=NOW + timedelta(days=2),
    alert=True,
)


def test_a_message_sounds_with_its_line_and_stands_in_full_on_the_back() -> None:
    found = fields(drawn(VIEW.with_message(MESSAGE)))

    assert found["latest"] == {"key": "latest", "label": "Latest", "value": MESSAGE.line, "changeMessage": "%@"}
    assert found["message"]["value"] == "Ayşe, 120 points wait\nOnly 30 more to a free coffee."
    assert "changeMessage" not in found["message"]


def test_a_silent_message_does_not_sound() -> None:
    view = VIEW.with_message(replace(MESSAGE, alert=False))
    assert "changeMessage" not in fields(drawn(view))["latest"]


def test_a_balance_that_changes_later_leaves_the_message_as_it_was() -> None:
    before, after = (fields(drawn(replace(VIEW.with_message(MESSAGE), balance=one))) for one in (52, 99))
    assert before["latest"] == after["latest"]


def test_a_used_offer_is_marked_and_makes_room_for_one_that_can_be_used() -> None:
    used = replace(OFFER, id=10, title="Free cake", limit_per_card=1, uses=1, ends_at=NOW + timedelta(days=3))
    alone, both = (fields(drawn(VIEW.with_offers(some))) for some in ([used], [used, OFFER]))

    assert (alone["offer"]["label"], alone["offer"]["value"]) == ("Already used", "Free cake")
    assert (both["offer"]["label"], both["offer"]["value"]) == ("Offer", "Double points")
    assert both["offers"]["value"].split("\n\n")[1].startswith("Free cake\nAlready used\n")


def test_the_last_day_is_said_without_a_sound() -> None:
    ending = replace(OFFER, starts_at=NOW - timedelta(days=3), ends_at=NOW + timedelta(hours=20))
    found = fields(drawn(VIEW.with_offers([ending])))

    assert found["offer"]["label"] == "Last day"
    assert "Last day" in found["offers"]["value"]
    assert "changeMessage" not in found["offer"]
    assert "changeMessage" not in found["offers"]


def test_what_an_offer_gives_and_when_stands_on_the_back() -> None:
    hours = Window(weekdays=frozenset({1, 2, 3, 4, 5}), start=time(15), end=time(17))
    offer = replace(OFFER, kind="percent", terms=Terms(kind="percent", percent=Fraction(1, 5)), windows=(hours,))
    found = fields(drawn(replace(VIEW, language="en").with_offers([offer])))
    assert "20% off\nMon–Fri, 3:00" in found["offers"]["value"].replace("\u202f", " ")
