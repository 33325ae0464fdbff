"""What webhooks say, for the description of the API: one shape for each kind of event."""

from typing import Any

from app.webhooks import kinds

Shape = dict[str, Any]

TEXT: Shape = {"type": "string"}
WHOLE: Shape = {"type": "integer"}
MOMENT: Shape = {"type": "string", "format": "date-time"}
TEXT_OR_NULL: Shape = {"type": ["string", "null"]}
HEADERS = {
    "webhook-id": "The same for every repeat of one event: whoever has seen it may ignore the rest",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970; refuse what is older than five minutes",
    "webhook-signature": (
        "`v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body` under the secret; two of them, apart by a "
        "space, while a new secret replaces an old one"
    ),
}
TOLD = (
    "Answer 2xx within ten seconds. Anything else, a redirect too, is tried again after 5 s, 1 min, 5 min, 30 min, "
    "2 h, 6 h, 12 h and then daily, twelve times in all; 410 switches the webhook off. Order is not promised: "
    "`sequence` grows for the whole installation and skips numbers; of one card, the greater `version` is the later "
    "state."
)


def _object(**properties: Shape) -> Shape:
    return {"type": "object", "required": list(properties), "properties": properties}


CARD = _object(number=TEXT, serial=TEXT, version=WHOLE)
STATUS: Shape = {"type": "string", "enum": ["active", "voided", "erased"]}
WALLET: Shape = {"type": "string", "enum": ["apple", "google"]}
TRANSACTION = _object(
    id=TEXT,
    kind={"type": "string", "enum": ["earn", "spend", "offer", "reverse"]},
    points=WHOLE,
    amount=TEXT_OR_NULL,
    currency=TEXT_OR_NULL,
    store=TEXT_OR_NULL,
    receipt=TEXT_OR_NULL,
    reverses=TEXT_OR_NULL,
)
ALARM = _object(alarm=TEXT, subject=TEXT, severity=TEXT, title=TEXT, meaning=TEXT, mend=TEXT, raised_at=MOMENT)
DATA: dict[str, tuple[str, Shape]] = {
    kinds.CARD_CREATED: ("A member has joined and has a card", _object(card=CARD, member=TEXT)),
    kinds.CARD_INSTALLED: ("A card came onto its first phone of that wallet", _object(card=CARD, wallet=WALLET)),
    kinds.CARD_UNINSTALLED: ("A card left the last phone of that wallet", _object(card=CARD, wallet=WALLET)),
    kinds.CARD_UPDATED: (
        "A card has a new version. What changes many cards at once, such as an offer's start or a new look, is told by "
        "campaign.finished alone",
        _object(card=CARD, status=STATUS),
    ),
    kinds.TRANSACTION_CREATED: (
        "Points were given, used or taken back",
        _object(card=CARD, transaction=TRANSACTION, balance=WHOLE, tier=TEXT_OR_NULL),
    ),
    kinds.OFFER_REDEEMED: ("An offer was used with a card", _object(card=CARD, offer=TEXT, transaction=TEXT)),
    kinds.OFFER_BUDGET: (
        "80 % of a budget of an offer are used; told once. A budget for all time or for the month that is spent pauses "
        "its offer. Money is in minor units",
        _object(
            offer=TEXT,
            measure={"type": "string", "enum": ["uses", "points", "money"]},
            period={"type": "string", "enum": ["all", "month", "day", "store_day"]},
            used=WHOLE,
            most=WHOLE,
        ),
    ),
    kinds.CAMPAIGN_FINISHED: (
        "A change of many cards is over, done or stopped: how many have a new version by it, and how many it did not "
        "come to (null: they were not counted yet). A campaign (reason `campaign`) also says how many it was planned "
        "for, and how many were told nothing, by reason",
        _object(
            reason=TEXT,
            state={"type": "string", "enum": ["done", "stopped"]},
            offer=TEXT_OR_NULL,
            cards=WHOLE,
            left={"type": ["integer", "null"]},
        )
        | {"dependentRequired": {"campaign": ["occurrence", "planned", "suppressed"]}},
    ),
    kinds.ALARM_RAISED: ("The installation needs somebody; only for webhooks of the whole installation", ALARM),
    kinds.ALARM_CLEARED: ("An alarm is over; only for webhooks of the whole installation", ALARM),
    kinds.PING: ("Somebody tries the webhook", _object()),
}


def envelope(kind: str) -> Shape:
    """The schema of the whole body of one kind of event."""
    return _object(
        sequence=WHOLE,
        id=TEXT,
        type={"type": "string", "const": kind},
        timestamp=MOMENT,
        programme={"type": ["string", "null"], "description": "null for what concerns the whole installation"},
        data=DATA[kind][1],
    )


def described() -> Shape:
    """The `webhooks` part of an OpenAPI 3.1 document."""
    return {kind: {"post": _call(kind, text)} for kind, (text, _) in DATA.items()}


def _call(kind: str, text: str) -> Shape:
    return {
        "summary": text.partition(".")[0],
        "description": f"{text}. {TOLD}",
        "operationId": kind.replace(".", "_"),
        "tags": ["webhooks"],
        "security": [],
        "parameters": [
            {"in": "header", "name": name, "required": True, "schema": TEXT, "description": told}
            for name, told in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": envelope(kind)}}},
        "responses": {"2XX": {"description": "Taken"}, "410": {"description": "Gone: send nothing more"}},
    }
