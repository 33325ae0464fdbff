"""The invariants of the books, read from the rows alone: a second opinion beside `ledger.verify`."""

from sqlalchemy import text
from sqlalchemy.orm import Session

LOOKS = {
    "an entry does not sum to zero": (
        "SELECT entry_id FROM posting GROUP BY entry_id HAVING sum(amount) <> 0 OR count(*) < 2"
    ),
    "a unit does not sum to zero": (
        "SELECT a.unit FROM posting p JOIN account a ON a.id = p.account_id GROUP BY a.programme_id, a.unit "
        "HAVING sum(p.amount) <> 0"
    ),
    "a balance is not the sum of its postings": (
        "SELECT a.id FROM account a LEFT JOIN posting p ON p.account_id = a.id WHERE a.balance IS NOT NULL "
        "GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(p.amount), 0)"
    ),
    "a balance has the wrong sign": (
        "SELECT id FROM account WHERE (role IN ('avail', 'hold', 'pend') AND balance < 0) "
        "OR (role = 'debt' AND balance > 0)"
    ),
    "somebody has units and owes some": (
        "SELECT a.id FROM account a JOIN account d ON d.member_id = a.member_id AND d.unit = a.unit "
        "WHERE a.role = 'avail' AND d.role = 'debt' AND d.balance < 0 AND a.balance > 0"
    ),
    "lots and balance differ": (
        "SELECT a.id FROM account a LEFT JOIN lot l ON l.account_id = a.id WHERE a.role = 'avail' "
        "AND a.member_id IS NOT NULL GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(l.remaining), 0)"
    ),
    "a lot and its uses differ": (
        "SELECT l.id FROM lot l LEFT JOIN lot_use u ON u.lot_id = l.id GROUP BY l.id, l.original, l.remaining "
        "HAVING l.original <> l.remaining + coalesce(sum(u.amount), 0)"
    ),
    "an entry names another unit than its accounts": (
        "SELECT e.id FROM entry e JOIN posting p ON p.entry_id = e.id JOIN account a ON a.id = p.account_id "
        "WHERE a.unit <> e.unit"
    ),
    "more was reversed than was moved": (
        "SELECT e.id FROM entry e JOIN entry r ON r.reverses_id = e.id WHERE e.kind <> 'capture' "
        "GROUP BY e.id, e.points HAVING abs(sum(r.points)) > abs(e.points)"
    ),
    "a line gave back more than it had": (
        "SELECT l.entry_id FROM entry_line l JOIN entry r ON r.reverses_id = l.entry_id "
        "JOIN entry_line b ON b.entry_id = r.id AND b.line_no = l.line_no "
        "GROUP BY l.entry_id, l.line_no, l.quantity, l.points, l.amount_minor "
        "HAVING sum(b.quantity) > l.quantity OR abs(sum(b.points)) > l.points OR sum(b.amount_minor) > l.amount_minor"
    ),
    "a hold ended twice, or not as it says": (
        "SELECT h.id FROM hold h LEFT JOIN entry e ON e.part_of_id = h.entry_id AND e.kind IN ('capture', 'release') "
        "GROUP BY h.id, h.state, h.captured, h.amount HAVING count(e.id) <> CASE WHEN h.state = 'open' THEN 0 "
        "WHEN h.captured > 0 AND h.captured < h.amount THEN 2 ELSE 1 END"
    ),
    "what is held is not what holds hold": (
        "SELECT a.id FROM account a JOIN card c ON c.member_id = a.member_id WHERE a.role = 'hold' AND a.balance <> "
        "(SELECT coalesce(sum(h.amount), 0) FROM hold h WHERE h.card_id = c.id AND h.unit = a.unit "
        "AND h.state = 'open')"
    ),
    "what waits is not what is pending": (
        "SELECT a.id FROM account a JOIN card c ON c.member_id = a.member_id WHERE a.role = 'pend' AND a.balance <> "
        "(SELECT coalesce(sum(p.units), 0) FROM pending p WHERE p.card_id = c.id AND p.unit = a.unit "
        "AND p.state = 'waiting')"
    ),
    "a chain has a gap": ("SELECT card_id FROM entry GROUP BY card_id HAVING count(*) <> max(seq) OR min(seq) <> 1"),
}


def broken(session: Session) -> list[str]:
    """Every invariant that does not hold."""
    return [words for words, query in LOOKS.items() if session.execute(text(query)).first() is not None]
