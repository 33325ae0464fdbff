"""Logs: one event a line, UTC, as text for people or JSON for machines. Never a token, a name or a body."""

import json
import logging
import sys
import time

from app.settings import Settings


class JsonFormatter(logging.Formatter):
    """One JSON object a line; control characters in messages are escaped by JSON itself."""

    def format(self, record: logging.LogRecord) -> str:
        event = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Readable lines; newlines in messages are escaped so that nobody can forge a line."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = record.message.replace("\n", "\\n").replace("\r", "\\r")
        return super().formatMessage(record)


def install(settings: Settings) -> None:
    """Send all logs to standard error in the configured form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for chatty in ("urllib3", "alembic", "werkzeug", "PIL", "celery", "kombu", "amqp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # it warns whenever a step takes longer than its interval, which a busy machine makes of any step
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
