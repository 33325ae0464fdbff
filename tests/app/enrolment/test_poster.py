"""The poster: a symbol that scanners read, large enough, with quiet around it."""

import re

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from app.cards.models import Store
from app.wallets.drawing import QrCode, qr_code
from tests.app.enrolment.visitor import Visitor

RUN = re.compile(r"M(\d+) (\d+)\.5h(\d+)")


def read(symbol: QrCode, scale: int = 6) -> str:
    picture = Image.new("L", (symbol.size * scale, symbol.size * scale), 255)
    draw = ImageDraw.Draw(picture)
    for x, y, length in RUN.findall(symbol.path):
        left, top = int(x) * scale, int(y) * scale
        draw.rectangle((left, top, left + int(length) * scale - 1, top + scale - 1), fill=0)
    return str(zxingcpp.read_barcodes(picture)[0].text)


@pytest.mark.parametrize("message", ["LY1:7K3M9QX2TDS", "https://cards.example.com/join/kahve?store=sto_1", "çğış 🦊"])
def test_the_drawn_symbol_says_what_it_was_made_of(message: str) -> None:
    assert read(qr_code(message)) == message


def test_four_modules_around_the_symbol_stay_white() -> None:
    symbol = qr_code("LY1:7K3M9QX2TDS")

    runs = [(int(x), int(y), int(length)) for x, y, length in RUN.findall(symbol.path)]

    assert min(x for x, _, _ in runs) == 4
    assert max(x + length for x, _, length in runs) == symbol.size - 4
    assert (min(y for _, y, _ in runs), max(y for _, y, _ in runs)) == (4, symbol.size - 5)


def test_the_poster_leads_to_the_join_page_of_its_shop(visitor: Visitor, shop: Store) -> None:
    page = visitor.open(f"/join/kahve/poster?size=a6&store={shop.public_id}").text
    drawn = QrCode(
        size=int(page.split('viewBox="0 0 ')[1].split()[0]), path=page.split('<path stroke="#000" d="')[1].split('"')[0]
    )

    assert read(drawn) == f"https://cards.example.com/join/kahve?store={shop.public_id}"
    assert 'class="poster poster-a6"' in page
    assert "cards.example.com/join/kahve</p>" in page


@pytest.mark.parametrize(("query", "status"), [("size=a0", 200), ("size=%00", 200), ("store=nope", 404)])
def test_odd_wishes_are_answered_plainly(visitor: Visitor, query: str, status: int) -> None:
    assert visitor.open(f"/join/kahve/poster?{query}").status_code == status
