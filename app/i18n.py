"""Languages: English, Turkish and Indonesian are complete; the English text is the key."""

from functools import cache
from pathlib import Path

from babel.support import NullTranslations, Translations
from flask import Flask, Request, request, session
from flask_babel import Babel, gettext

from app.errors import Sentence

LANGUAGES = ("en", "tr", "id")
NAMES = {"en": "English", "tr": "Türkçe", "id": "Bahasa Indonesia"}
FOLDER = Path(__file__).parent / "translations"


def install(app: Flask) -> None:
    """Make pages speak the visitor's language."""
    app.config["BABEL_DEFAULT_LOCALE"] = "en"
    app.config["BABEL_DEFAULT_TIMEZONE"] = "UTC"
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(FOLDER)
    Babel(app, locale_selector=page_language)


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


def text(language: str, message: str, **values: object) -> str:
    """A text in a given language, outside of any page: for passes, objects and mails."""
    translated = str(_catalog(nearest(language)).gettext(message))
    return translated % values if values else translated


@cache
def _catalog(language: str) -> NullTranslations:
    return Translations.load(FOLDER, [language])
