"""Returns: the sale that comes back, which of its pieces, and what the card loses by it. Shown before it is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import idempotency, money
from app.cards.models import Card
from app.errors import Conflict, Unprocessable
from app.ledger import reversals
from app.ledger.models import Account, Entry, Pending
from app.ledger.reversals import Returned
from app.stamps import service as stamps
from app.till import amounts, queries
from app.till.amounts import Ambiguous
from app.till.forms import new_key

PIECES = "pieces-"


@dataclass(frozen=True, kw_only=True)
class ReturnForm:
    """What comes back of a sale. `act`: reckon (only show it), some, or all of what is left.

    `owed_shown`: the deficit that the cashier saw before pressing.
    """

    act: str
    pieces: Mapping[int, int]
    amount: int | Ambiguous | None
    owed_shown: int
    key: str

    @classmethod
    def parse(cls, form: Mapping[str, str], currency: str) -> "ReturnForm":
        """Raises: Unprocessable with `errors` for the amount or a line; BadRequest without a key."""
        act = form.get("act", "some")
        typed = form.get("amount", "").strip() if act != "all" else ""
        return cls(
            act=act if act in ("reckon", "all") else "some",
            pieces={_number(name): _pieces(text) for name, text in form.items() if name.startswith(PIECES)},
            amount=amounts.parse(typed, currency) if typed else None,
            owed_shown=int(form["owed"]) if _is_count(form.get("owed", "")) else 0,
            key=idempotency.check_key(form.get("key")),
        )

    @property
    def returned(self) -> Returned:
        """As the ledger takes it.

        Raises: Unprocessable `nothing_chosen` or `amount_unclear`.
        """
        chosen = {line: pieces for line, pieces in self.pieces.items() if pieces}
        if self.act == "all":
            return Returned()
        if chosen:
            return Returned(pieces=chosen)
        if isinstance(self.amount, Ambiguous):
            sentence = "Write the amount with two decimals, so that it can be only one."
            raise Unprocessable("amount_unclear", sentence, errors={"amount": sentence})
        if self.amount is not None:
            return Returned(amount_minor=self.amount)
        raise Unprocessable("nothing_chosen", "Choose what comes back.")


@dataclass(frozen=True, kw_only=True)
class LineLeft:
    """A line of the sale; `left` pieces of it can still come back, `chosen` of them do."""

    number: int
    name: str
    quantity: int
    left: int
    amount: str
    points: int
    chosen: int


@dataclass(frozen=True, kw_only=True)
class Back:
    """What would be taken: points, the amount as money, and how many of the points are spent already."""

    points: int
    amount: str
    owed: int


@dataclass(frozen=True, kw_only=True)
class Returning:
    """The return that is open; without `entry_id` the receipt is still asked for."""

    entry_id: str = ""
    serial: str = ""
    card: str = ""
    receipt: str = ""
    amount: str = ""
    left: str = ""
    points: int = 0
    is_points: bool = True
    lines: tuple[LineLeft, ...] = ()
    back: Back | None = None
    key: str = field(default_factory=new_key)


def opened(session: Session, entry: Entry, form: ReturnForm | None, *, language: str) -> Returning:
    """A sale as it stands, with what the form chooses of it.

    Raises: Conflict `not_reversible`, if it is no sale; as `reversals.reckoned` and `ReturnForm.returned`.
    """
    card = session.get_one(Card, entry.card_id)
    if entry.kind != "earn" or entry.currency is None or entry.part_of_id is not None:
        raise Conflict("not_reversible", "Only a purchase can be returned.")
    currency = entry.currency
    _, _, returned_minor = reversals.reversed_so_far(session, entry.id)
    return Returning(
        entry_id=entry.id,
        serial=card.serial,
        card=card.number[-4:],
        receipt=entry.receipt or "",
        amount=money.shown(entry.amount_minor or 0, currency, language),
        left=money.shown((entry.amount_minor or 0) - returned_minor, currency, language),
        points=entry.points,
        lines=_lines(session, entry, form, currency, language),
        back=_back(session, entry, form, currency, language) if form else None,
    )


def owed_after(session: Session, entry: Entry, points: int) -> int:
    """How many of *points* that an entry gave were spent since: taking them back leaves the card owing them."""
    if entry.kind != "earn" or points <= 0:
        return 0
    if session.scalar(select(Pending.units).where(Pending.entry_id == entry.id, Pending.state == "waiting")):
        return 0
    return max(0, points - _usable(session, entry))


def _usable(session: Session, entry: Entry) -> int:
    """Units that can be taken back without a debt; rewards of a full stamp card are turned back into its stamps."""
    of_member = select(Card.member_id).where(Card.id == entry.card_id).scalar_subquery()
    voucher = entry.unit.replace("stamp:", "voucher:", 1)
    query = select(Account.unit, Account.balance).where(
        Account.member_id == of_member, Account.role == "avail", Account.unit.in_({entry.unit, voucher})
    )
    found: dict[str, int] = {unit: balance or 0 for unit, balance in session.execute(query)}
    usable = found.get(entry.unit, 0)
    if voucher != entry.unit and found.get(voucher):
        usable += found[voucher] * stamps.by_id(session, entry.unit.partition(":")[2]).size
    return usable


def _lines(
    session: Session, entry: Entry, form: ReturnForm | None, currency: str, language: str
) -> tuple[LineLeft, ...]:
    rows = session.execute(queries.lines_left(entry.id)).all()
    return tuple(
        LineLeft(
            number=line.line_no,
            name=line.product or line.category or str(line.line_no),
            quantity=line.quantity,
            left=line.quantity - int(back),
            amount=money.shown(line.amount_minor, currency, language),
            points=line.points,
            chosen=_chosen(form, line.line_no, line.quantity - int(back)),
        )
        for line, back in rows
    )


def _chosen(form: ReturnForm | None, line: int, left: int) -> int:
    if form is None:
        return 0
    return left if form.act == "all" else min(form.pieces.get(line, 0), left)


def _back(session: Session, entry: Entry, form: ReturnForm, currency: str, language: str) -> Back:
    points, amount_minor = reversals.reckoned(session, entry, form.returned)
    return Back(
        points=points,
        amount=money.shown(amount_minor or 0, currency, language),
        owed=owed_after(session, entry, points),
    )


def _number(name: str) -> int:
    digits = name.removeprefix(PIECES)
    if not _is_count(digits):
        raise Unprocessable("unknown_line", "This sale has no such line.")
    return int(digits)


def _pieces(text: str) -> int:
    digits = text.strip() or "0"
    if not _is_count(digits):
        raise Unprocessable("exceeds_original", "Pieces are whole numbers.", errors={"lines": "Whole numbers."})
    return int(digits)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6
