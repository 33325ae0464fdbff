"""Faces are read from the wallets' own data, in the reader's language, and show nothing else."""

import json
from decimal import Decimal

import pytest
from flask import Flask, render_template_string

from app.wallets import drawing
from passes.apple.encode import encode
from passes.apple.model import Barcode, Colour, Field, StoreCard

PASS = {
    "backgroundColor": "rgb(74,44,29)",
    "foregroundColor": "rgb(255,248,239)",
    "labelColor": "rgb(232,207,174)",
    "logoText": "Kahve <Durağı>",
    "barcodes": [{"format": "PKBarcodeFormatQR", "message": "LY1:7K3M9QX2TDS", "altText": "7K3M 9QX2 TDS"}],
    "storeCard": {
        "headerFields": [{"key": "balance", "label": "points", "value": 1234}],
        "secondaryFields": [{"key": "tier", "label": "tier", "value": "Silver"}],
        "auxiliaryFields": [
            {
                "key": "end",
                "label": "until",
                "value": "2026-11-22T21:30:00Z",
                "dateStyle": "PKDateStyleShort",
                "timeStyle": "PKDateStyleShort",
            },
            {"key": "spent", "label": "spent", "value": 12.5, "currencyCode": "TRY"},
        ],
        "backFields": [{"key": "latest", "label": "latest", "value": "Hello"}],
    },
}
CLASS = {
    "issuerName": "Kahve AŞ",
    "localizedProgramName": {
        "defaultValue": {"language": "en", "value": "Coffee card"},
        "translatedValues": [{"language": "tr", "value": "Kahve kartı"}],
    },
    "hexBackgroundColor": "#fff8ef",
    "rewardsTier": "Silver",
    "rewardsTierLabel": "Level",
    "programLogo": {"sourceUri": {"uri": "https://cards.example.com/assets/default/kahve-logo.png"}},
    "messages": [{"header": "Double points", "body": "Until Sunday"}],
}
OBJECT = {
    "id": "3388.card",
    "loyaltyPoints": {"label": "Points", "balance": {"int": 1234}},
    "barcode": {"type": "QR_CODE", "value": "LY1:7K3M9QX2TDS", "alternateText": "7K3M 9QX2 TDS"},
    "textModulesData": [{"id": "offer", "header": "Offer", "body": "Double points"}],
}


def test_an_apple_face_is_what_the_phone_would_write() -> None:
    face = drawing.draw_apple(
        PASS, strings={"points": "Puan", "Silver": "Gümüş"}, language="tr", timezone="Europe/Istanbul"
    )

    assert face.header == (drawing.Line(label="Puan", text="1.234"),)
    assert [line.text for line in face.row] == ["Gümüş", "23.11.2026 00:30", "₺12,50"]
    assert face.back[0].text == "Hello"
    assert face.barcode is not None
    assert face.barcode.alt == "7K3M 9QX2 TDS"


def test_a_pass_of_the_library_is_drawn_as_it_was_encoded() -> None:
    card = StoreCard(
        pass_type_identifier="pass.com.example.kahve",
        team_identifier="A1B2C3D4E5",
        organization_name="Kahve",
        serial_number="s" * 20,
        description="Kahve card",
        background_colour=Colour.parse("#4a2c1d"),
        logo_text="Kahve",
        header=(Field(key="balance", label="Points", value=Decimal(52)),),
        barcodes=(Barcode(message="LY1:7K3M9QX2TDS"),),
    )
    decoded = json.loads(encode(card))

    face = drawing.draw_apple(decoded)

    assert (face.background, face.header[0].text) == ("rgb(74,44,29)", "52")


def test_a_google_face_speaks_the_readers_language() -> None:
    face = drawing.draw_google(CLASS, OBJECT, language="tr")

    assert (face.title, face.issuer) == ("Kahve kartı", "Kahve AŞ")
    assert [(line.label, line.text) for line in face.rows[0]] == [("Points", "1.234"), ("Level", "Silver")]
    assert face.foreground == "#202124"
    assert [line.label for line in face.details] == ["Offer", "Double points"]


def test_a_google_template_decides_the_rows() -> None:
    row = {
        "twoItems": {
            "startItem": {"firstValue": {"fields": [{"fieldPath": "object.textModulesData['offer']"}]}},
            "endItem": {"firstValue": {"fields": [{"fieldPath": "class.rewardsTier"}]}},
        }
    }
    shown = {**CLASS, "classTemplateInfo": {"cardTemplateOverride": {"cardRowTemplateInfos": [row]}}}

    face = drawing.draw_google(shown, OBJECT)

    assert face.rows == (
        (drawing.Line(label="Offer", text="Double points"), drawing.Line(label="Level", text="Silver")),
    )


@pytest.mark.parametrize("colour", ['"/><script>', "red", "url(x)", 5, None])
def test_only_a_colour_gets_into_the_drawing(colour: object) -> None:
    assert drawing.draw_apple({**PASS, "backgroundColor": colour}).background == "#ffffff"
    assert drawing.draw_google({**CLASS, "hexBackgroundColor": colour}, OBJECT).background == drawing.GOOGLE_DEFAULT


def test_short_fields_take_what_they_need_and_long_ones_are_cut() -> None:
    fields = [{"key": str(n), "label": "x", "value": value} for n, value in enumerate(("A", "B" * 80, "C", "D" * 80))]

    places = drawing.draw_apple({"storeCard": {"secondaryFields": fields}}).places

    assert [place.line.text[:1] for place in places] == ["A", "B", "C", "D"]
    assert places[0].line.text == "A"
    assert places[1].line.text.endswith("…")
    assert places[1].width > 2 * places[0].width
    assert places[-1].x + places[-1].width <= drawing.ROW_WIDTH + 1


def test_an_empty_pass_is_an_empty_face() -> None:
    assert drawing.draw_apple({}).header == ()
    assert drawing.draw_google({}, {}).rows == ()


def test_the_macros_escape_what_the_json_says(app: Flask) -> None:
    with app.test_request_context("/"):
        text = render_template_string(
            '{% import "_parts.html" as ui %}{{ ui.apple_face(one) }}{{ ui.google_face(two, three) }}',
            one=PASS,
            two=CLASS,
            three=OBJECT,
        )

    assert "Kahve &lt;Durağı&gt;" in text
    assert " style=" not in text
    assert text.count('<svg lang="en" viewBox') == 2
