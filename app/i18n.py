"""Languages: English, Turkish and Indonesian are complete; the English text is the key."""

import logging
from functools import cache
from pathlib import Path

from babel.support import NullTranslations, Translations
from flask import Flask, Request, request, session
from flask_babel import Babel, gettext

from app.errors import Sentence

LOGGER = logging.getLogger(__name__)
LANGUAGES = ("en", "tr", "id")
NAMES = {"en": "English", "tr": "Türkçe", "id": "Bahasa Indonesia"}
MOST_NOTED = 1000
FOLDER = Path(__file__).parent / "translations"


def install(app: Flask) -> None:
    """Make pages speak the visitor's language."""
    app.config["BABEL_DEFAULT_LOCALE"] = "en"
    app.config["BABEL_DEFAULT_TIMEZONE"] = "UTC"
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(FOLDER)
    app.jinja_env.globals["capitals"] = capitals
    babel = Babel(app, locale_selector=page_language)
    with app.app_context():  # pages read the same catalogues as passes and mails, each loaded once
        babel.domain_instance.cache.update({(one, "messages"): _catalog(one) for one in LANGUAGES})


def page_language() -> str:
    """The language of this page: asked for in the address, chosen before, or the browser's first that we speak."""
    return language_of(request)


def language_of(asked: Request) -> str:
    """As `page_language`, for a given request."""
    for choice in (asked.args.get("lang"), session.get("language"), asked.cookies.get("lang")):
        if choice in LANGUAGES:
            return str(choice)
    return asked.accept_languages.best_match(LANGUAGES) or "en"


def nearest(language: str) -> str:
    """The language we speak that is nearest to a BCP 47 tag such as `tr-TR`."""
    first = language.replace("_", "-").split("-")[0].lower()
    return first if first in LANGUAGES else "en"


def translate(message: str) -> str:
    """A refusal's English text in the language of this page."""
    if isinstance(message, Sentence):
        return str(gettext(message.msgid, **message.values))
    return str(gettext(message)) if message else ""


def capitals(words: str, language: str) -> str:
    """*words* in capitals as that language has them: a Turkish i keeps its dot."""
    return (words.replace("i", "İ") if nearest(language) == "tr" else words).upper()


def text(language: str, message: str, **values: object) -> str:
    """A text in a given language, outside of any page: for passes, objects and mails."""
    translated = str(_catalog(nearest(language)).gettext(message))
    return translated % values if values else translated


@cache
def _catalog(language: str) -> NullTranslations:
    found = Translations.load(FOLDER, [language])
    if language != "en":
        found.add_fallback(_Missing(language))
    return found


class _Missing(NullTranslations):
    """What a catalogue lacks is said in English, and logged once."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self._language = language
        self._told: set[str] = set()

    def gettext(self, message: str) -> str:
        self._note(message)
        return message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        self._note(msgid1)
        return msgid1 if n == 1 else msgid2

    def _note(self, message: str) -> None:
        if message not in self._told and len(self._told) < MOST_NOTED:
            self._told.add(message)
            LOGGER.warning("no %s text for %r", self._language, message)
