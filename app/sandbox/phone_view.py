"""The state of the phones as the page draws it: plain JSON, everything already in the phone's language."""

import hashlib
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from app.sandbox.apple_device import HeldCard
from app.sandbox.apple_rules import parse_date
from app.sandbox.apple_text import Place, field_text, linked_parts
from app.sandbox.phone_barcode import APPLE_FORMATS, GOOGLE_FORMATS, SQUARE
from app.sandbox.phone_time import utc_now
from app.sandbox.phones import APPLE, GOOGLE, Phones

Json = dict[str, Any]
IMAGE_SLOTS = ("logo", "strip", "icon", "thumbnail")
STORIES_SHOWN = 12
MESSAGES_SHOWN = 8


def state_of(phones: Phones) -> Json:
    """Everything that /sandbox shows."""
    return {
        "version": phones.version,
        "product_url": phones.product_url,
        APPLE: _apple(phones),
        GOOGLE: _google(phones),
    }


def _apple(phones: Phones) -> Json:
    phone = phones.apple
    with phone.changed:
        device = phone.device
        cards = [apple_card(card, phone.place) for card in reversed(device.cards.values())]
        shared = _shared(phones, APPLE, device.language, device.airplane)
        return shared | {
            "cards": cards,
            "push_token": device.push_token[:8],
            "messages": [asdict(message) for message in reversed(device.diary.messages[-MESSAGES_SHOWN:])],
            "stories": [asdict(story) for story in reversed(device.diary.stories[-STORIES_SHOWN:])],
        }


def _google(phones: Phones) -> Json:
    phone = phones.google
    with phone.changed:
        shared = _shared(phones, GOOGLE, phone.language, phone.airplane)
        return shared | {
            "cards": [google_card(phone.card(key) or {}) for key in reversed(phone.object_ids)],
            "messages": [asdict(message) for message in reversed(phone.diary.messages[-MESSAGES_SHOWN:])],
            "stories": [asdict(story) for story in reversed(phone.diary.stories[-STORIES_SHOWN:])],
        }


def _shared(phones: Phones, name: str, language: str, airplane: bool) -> Json:
    browser = phones.browsers[name]
    return {"language": language, "airplane": airplane, "browser": browser.url, "location": browser.location}


def apple_card(card: HeldCard, place: Place) -> Json:
    """A held pass as its front, its back and what the phone knows of it."""
    apple_pass, content = card.apple_pass, card.apple_pass.content
    expires_at = parse_date(content.get("expirationDate"))
    return {
        "id": apple_pass.serial,
        "pass_type": apple_pass.pass_type,
        "organisation": apple_pass.text(str(content.get("organizationName", "")), place.language),
        "description": apple_pass.text(str(content.get("description", "")), place.language),
        "logo_text": apple_pass.text(str(content.get("logoText", "")), place.language),
        "colours": {
            name: content[f"{name}Color"] for name in ("background", "foreground", "label") if f"{name}Color" in content
        },
        "images": {slot: url for slot in IMAGE_SLOTS if (url := _image_url(card, slot, place))},
        "groups": {
            group.removesuffix("Fields"): [_field(card, field, place) for field in fields]
            for group, fields in apple_pass.groups.items()
        },
        "barcode": _apple_barcode(card),
        "voided": content.get("voided") is True,
        "expired": expires_at is not None and expires_at <= utc_now(),
        "signature": asdict(card.verdict.signature),
        "findings": [asdict(finding) for finding in card.verdict.findings],
        "size_bytes": card.verdict.size_bytes,
        "registered": card.registered,
        "automatic_updates": card.automatic_updates,
        "updates_itself": apple_pass.web_service_url is not None,
        "updated_at": card.updated_at,
    }


def _field(card: HeldCard, field: Json, place: Place) -> Json:
    key = str(field.get("key", ""))
    attributed = field.get("attributedValue")
    text = field_text(card.apple_pass, field, place)
    return {
        "key": key,
        "label": card.apple_pass.text(str(field.get("label", "")), place.language),
        "text": text,
        "parts": linked_parts(card.apple_pass.text(attributed, place.language)) if isinstance(attributed, str) else [],
        "align": str(field.get("textAlignment", "")).removeprefix("PKTextAlignment").lower(),
        "changed": key in card.changed_keys,
    }


def _image_url(card: HeldCard, slot: str, place: Place) -> str:
    found = card.apple_pass.image(slot, place.language)
    if found is None:
        return ""
    digest = hashlib.sha256(found[1]).hexdigest()[:16]
    return f"/sandbox/images/{quote(card.apple_pass.serial, safe='')}/{slot}/{digest}.png"


def first_barcode(content: Json) -> Json | None:
    """The first barcode that the phone can draw."""
    listed = content.get("barcodes")
    barcodes = listed if isinstance(listed, list) and listed else [content.get("barcode")]
    fit = (item for item in barcodes if isinstance(item, dict) and item.get("format") in APPLE_FORMATS)
    return next(fit, None)


def _apple_barcode(card: HeldCard) -> Json | None:
    barcode = first_barcode(card.apple_pass.content)
    if barcode is None:
        return None
    symbology = APPLE_FORMATS[barcode["format"]]
    url = _barcode_url(APPLE, card.apple_pass.serial, symbology, barcode["message"])
    return {
        "url": url,
        "message": barcode["message"],
        "text": str(barcode.get("altText", "")),
        "square": symbology in SQUARE,
    }


def google_card(view: Json) -> Json:
    """A Google card's view, with the address of its barcode."""
    barcode = view.get("barcode")
    if barcode and barcode["type"] in GOOGLE_FORMATS and barcode["value"]:
        symbology = GOOGLE_FORMATS[barcode["type"]]
        url = _barcode_url(GOOGLE, view["id"], symbology, barcode["value"])
        drawn = {"url": url, "message": barcode["value"], "text": barcode["text"], "square": symbology in SQUARE}
        return view | {"barcode": drawn}
    return view | {"barcode": None}


def _barcode_url(phone: str, card_id: str, symbology: str, message: str) -> str:
    digest = hashlib.sha256(f"{symbology} {message}".encode()).hexdigest()[:16]
    kind = "svg" if symbology == "QRCode" else "png"
    return f"/sandbox/barcodes/{phone}/{quote(card_id, safe='')}.{kind}?v={digest}"
