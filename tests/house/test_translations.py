"""No page holds words that translators never see."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[2] / "app" / "templates"
JINJA = re.compile(r"\{% block shell %\}.*?\{% endblock %\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
SPOKEN = {"aria-label", "alt", "title"}
# names and addresses, the same in every language
NAMES = re.compile(r"Tessera( API)?|/join/|A4|A6")
MACHINE = {"kbd", "code", "script"}
ATTRIBUTE = re.compile(r'\w="')  # attributes that a template keeps in a variable
WORD = re.compile(r"[^\W\d_]{2,}")


class Bare(HTMLParser):
    """Collects the words of a template that stand outside of its expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.machine = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.machine += tag in MACHINE
        self.found += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self.machine -= tag in MACHINE

    def handle_data(self, data: str) -> None:
        if not self.machine and not ATTRIBUTE.search(data):
            self.found.append(data)


def bare_words(template: str) -> list[str]:
    reader = Bare()
    # an expression may stand where an attribute would
    reader.feed(JINJA.sub(" ", template))
    return [line.strip() for line in reader.found if WORD.search(NAMES.sub("", line))]


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_every_word_of_a_template_is_marked_for_translation(path: Path) -> None:
    assert bare_words(path.read_text(encoding="utf-8")) == []


def test_a_word_that_is_not_marked_is_found() -> None:
    assert bare_words('<h1>{{ _("Marked") }}</h1><p title="Bare title">Bare{{ number }}</p>') == ["Bare title", "Bare"]
