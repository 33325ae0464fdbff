"""The figures that matter on one page, each beside the period before."""

from app.ledger.held import POINTS
from app.reports import beside, buying, joining, moving, owing, selling
from app.reports.outcome import Ask, Outcome, Picture, Units, Value
from app.reports.periods import Period

METRICS = (
    "enrolments", "active_members", "active_cards", "install_rate", "net_installs", "uninstall_rate", "repeat_rate",
    "frequency", "sales", "sales_amount", "issued", "redeemed", "redemption_rate", "outstanding", "liability",
    "programme_cost", "cost_rate", "offer_uses", "discounts",
)  # fmt: skip


def overview(ask: Ask) -> Outcome:
    """Every headline figure, and points issued and redeemed as a picture."""
    now, before = _figures(ask, ask.period), _figures(ask, ask.period.before)
    return beside.outcome(ask, METRICS, now, before, picture=_picture(ask))


def _figures(ask: Ask, period: Period) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for work in (
        joining.member_figures, joining.wallet_figures, buying.repeat_figures, selling.sales_figures,
        moving.unit_figures, owing.owed_figures, owing.cost_figures, selling.offer_figures,
    ):  # fmt: skip
        found |= work(ask, period)
    return found


def _picture(ask: Ask) -> Picture | None:
    """Only what there is of points is drawn."""
    drawn = moving.units(ask)
    has = any(row[1] == POINTS and any(one.amount for one in row[2:] if isinstance(one, Units)) for row in drawn.rows)
    return drawn.picture if has else Picture(kind="columns", across=[], series=[])
