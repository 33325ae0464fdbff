"""Classes and objects with honest defaults, and full ones that use every member."""

from datetime import UTC, datetime

from passes.google.ids import ResourceId
from passes.google.model import (
    AppLink,
    Barcode,
    Holders,
    Image,
    ImageModule,
    Item,
    Link,
    LocalizedText,
    LoyaltyClass,
    LoyaltyObject,
    MerchantLocation,
    Message,
    OfferClass,
    OfferObject,
    Points,
    RotatingBarcode,
    RotatingKey,
    Template,
    TextModule,
    TimeInterval,
    ValueAddedModule,
)

ISSUER = "3388000000012345678"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EVENING = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def rid(suffix: str, issuer: str = ISSUER) -> ResourceId:
    return ResourceId(issuer=issuer, suffix=suffix)


def text(value: str = "Coffee", **translations: str) -> LocalizedText:
    return LocalizedText(value=value, translations=translations or {"tr": "Kahve", "id": "Kopi"})


def picture(name: str = "logo") -> Image:
    return Image(uri=f"https://cards.example/{name}.png", description=text("Logo"))


def loyalty_class(**changes: object) -> LoyaltyClass:
    values: dict[str, object] = {
        "id": rid("gold"),
        "issuer_name": text("Bean & Co"),
        "programme_name": text("Bean Club"),
        "logo": picture(),
    }
    return LoyaltyClass(**(values | changes))  # type: ignore[arg-type]


def loyalty_object(**changes: object) -> LoyaltyObject:
    values: dict[str, object] = {
        "id": rid("card-1"),
        "class_id": rid("gold"),
        "account_id": "TES-7F3K",
        "points": Points(label=text("Points"), balance=120),
        "barcode": Barcode(value="TES7F3K"),
    }
    return LoyaltyObject(**(values | changes))  # type: ignore[arg-type]


def offer_class(**changes: object) -> OfferClass:
    values: dict[str, object] = {
        "id": rid("offer.week47"),
        "issuer_name": text("Bean & Co"),
        "title": text("Two for one"),
        "provider": text("Bean & Co"),
    }
    return OfferClass(**(values | changes))  # type: ignore[arg-type]


def offer_object(**changes: object) -> OfferObject:
    values: dict[str, object] = {"id": rid("coupon-1"), "class_id": rid("offer.week47")}
    return OfferObject(**(values | changes))  # type: ignore[arg-type]


def message(id: str = "week47-1", *, notify: bool = False) -> Message:
    shown = TimeInterval(start=NOON, end=EVENING)
    return Message(id=id, header=text("Two for one"), body=text("Today only"), shown=shown, notify=notify)


def shared() -> dict[str, object]:
    """Every member that all four resources may carry."""
    return {
        "hero_image": picture("hero"),
        "text_modules": (TextModule(id="visits", header=text("Visits"), body=text("12")),),
        "image_modules": (ImageModule(id="map", image=picture("map")),),
        "links": (
            Link(uri="tel:+902120000000", description=text("Call"), id="call"),
            Link(uri="mailto:hi@bean.example"),
        ),
        "messages": (message(), message("week47-2", notify=True)),
        "merchant_locations": (MerchantLocation(latitude=41.01, longitude=28.97),),
        "value_added_modules": (
            ValueAddedModule(
                header=text("Happy hour"),
                body=text("Half price"),
                uri="https://bean.example/happy",
                image=picture("happy"),
                shown=TimeInterval(start=NOON, end=EVENING),
                sort_index=1,
            ),
        ),
        "app_link": AppLink(uri="https://bean.example/order", text=text("Order")),
    }


def class_shared() -> dict[str, object]:
    return shared() | {
        "background_color": "#1a73e8",
        "country_code": "TR",
        "callback_url": "https://cards.example/google/callback",
        "homepage": Link(uri="https://bean.example", description=text("Home")),
        "holders": Holders.ONE_USER,
        "unlock_to_view": True,
        "shimmer": True,
        "template": Template(
            rows=(
                (Item(paths=("object.loyaltyPoints.balance",)), Item(paths=("class.rewardsTier",))),
                (Item(paths=("object.accountName",), second=("object.accountId",)),),
                tuple(Item(paths=(f"object.textModulesData['{name}']",)) for name in ("visits", "a", "b")),
            ),
            details=(Item(paths=("class.linksModuleData",)),),
            list_first=Item(paths=("class.programName",)),
            list_second=Item(paths=("object.loyaltyPoints.balance",)),
            above_barcode=(Item(paths=("object.accountId",)), Item(paths=("object.accountName",))),
            below_barcode=Item(paths=("class.issuerName",)),
        ),
    }


def full_loyalty_class() -> LoyaltyClass:
    names = ("account_name_label", "account_id_label", "tier", "tier_label", "second_tier", "second_tier_label")
    return loyalty_class(**class_shared(), wide_logo=picture("wide"), **{name: text(name[:7]) for name in names})


def full_offer_class() -> OfferClass:
    return offer_class(
        **class_shared(),
        short_title=text("2 for 1"),
        details=text("Any drink"),
        fine_print=text("Once a day"),
        title_image=picture("title"),
        wide_title_image=picture("wide"),
        help=Link(uri="https://bean.example/help", description=text("Help")),
    )


def object_shared() -> dict[str, object]:
    return shared() | {
        "rotating_barcode": RotatingBarcode(
            pattern="TES7F3K-{totp_value_0}-{totp_timestamp_seconds}", keys=(RotatingKey(key_hex="3132" * 10),)
        ),
        "valid": TimeInterval(start=NOON, end=EVENING),
        "group": "bean",
        "group_index": 2,
        "linked_object_ids": (rid("pass-9"),),
        "screenshots_allowed": False,
    }


def full_loyalty_object() -> LoyaltyObject:
    return loyalty_object(
        **object_shared(),
        account_name="Ayşe Yılmaz",
        second_points=Points(label=text("Tier"), balance="Gold"),
        linked_offer_ids=(rid("coupon-1"), rid("coupon-2")),
    )


def full_offer_object() -> OfferObject:
    return offer_object(**object_shared(), barcode=Barcode(value="C1", alternate_text="C1"), announce_expiry=False)
