"""Narrow paper: never wider than 42 columns, whatever is written on it, and read back as a printer reads it."""

import re
import unicodedata

import pytest

from app.counter import paper
from app.counter.paper import COLUMNS, Line
from tests.app.counter.printer import Printer

NAMES = [
    "Kahve Durağı",
    "İstanbul'un ıssız şişhanesi ğüçö ÇĞİÖŞÜ",
    "A" * 200,
    "Çok uzun bir dükkân adı ki hiçbir fişe sığmaz ve yine de basılmalıdır",
    "مقهى البلد القديم",
    "カフェ・ド・ランブル銀座八丁目本店支店",
    "☕️🥐👩‍👩‍👧‍👦" * 9,
    "Zażółć gęślą jaźń €₺£ “quoted” – 1×2…",
    "e\u0301" * 60,
    "",
    " ",
]


def columns(text: str) -> int:
    """Counted here by another rule than the product's: what takes no room, what takes two, and the rest."""
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    none = sum(unicodedata.category(one) in {"Mn", "Me", "Cf"} for one in text)
    return len(text) + wide - none


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", ["left", "centred", "right", "both"])
def test_nothing_is_wider_than_the_paper(name: str, shape: str) -> None:
    line = {
        "left": Line(left=name),
        "centred": Line(left=name, is_centred=True, is_bold=True),
        "right": Line(left="Total", right=name),
        "both": Line(left=name, right=name),
    }[shape]

    text = paper.as_text([line])
    printed = paper.as_escpos([line])

    assert all(columns(row) <= COLUMNS for row in text.splitlines())
    steered = b"|".join(re.escape(one) for one in (paper.BOLD, paper.PLAIN, paper.LEFT, paper.CENTRE))
    bare = re.sub(steered, b"", printed.removeprefix(paper.BEGIN).removesuffix(paper.END))
    assert all(len(row) <= COLUMNS for row in bare.split(b"\n"))


def test_a_label_and_a_figure_stand_at_the_two_ends() -> None:
    assert paper.as_text([Line(left="Points", right="+35")]) == "Points" + " " * 33 + "+35\n"


def test_a_figure_that_does_not_fit_beside_its_label_stands_below_it() -> None:
    rows = paper.as_text([Line(left="Something that is said at length", right="1.250.000,00 TRY")]).splitlines()

    assert rows == ["Something that is said at length", " " * 26 + "1.250.000,00 TRY"]


def test_turkish_letters_reach_the_paper_as_they_are() -> None:
    line = Line(left="İıŞşĞğÇçÖöÜü", right="+35", is_bold=True)

    printer = Printer().read(paper.as_escpos([Line(left="Kahve Durağı", is_centred=True), line]))

    first, second = printer.rows[:2]
    assert (first.text, first.is_centred, first.is_bold) == ("Kahve Durağı", True, False)
    assert (second.text, second.is_centred, second.is_bold) == ("İıŞşĞğÇçÖöÜü" + " " * 27 + "+35", False, True)
    assert (printer.cuts, printer.page, printer.qr_printed) == (1, 13, 0)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("₺12,50", "TL12,50"),
        ("−80", "-80"),
        ("Łódź", "Lódz"),
        ("e\u0301", "é"),
        ("☕️ Kahve", "? Kahve"),
        ("مقهى", "????"),
        ("12\u00a0500", "12 500"),
        ("\x1b@\x1d\x07tidy\u202e\u2066", "@ tidy"),
    ],
)
def test_what_the_page_lacks_is_spelled_with_what_it_has(text: str, printed: str) -> None:
    assert paper.spelled(text) == printed


def test_text_holds_nothing_that_steers_a_terminal_or_turns_the_writing_round() -> None:
    text = paper.as_text([Line(left="a\x1b[2Jb\u202ec", right="مقهى +1")])

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\u2068مقهى +1\u2069" in text


def test_a_code_is_printed_when_it_is_asked_for() -> None:
    printer = Printer().read(paper.as_escpos([Line(left="x")], qr="https://cards.example/c/abc"))

    assert (printer.qr, printer.qr_printed) == (b"https://cards.example/c/abc", 1)
