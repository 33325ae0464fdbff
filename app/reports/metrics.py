"""Every metric with its one definition, in the reader's language."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from app import i18n


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`formula`: how it is reckoned, in words. `unit`: number, money, share, days or decimal."""

    name: str
    title: str
    formula: str
    unit: str


@cache
def all_of(language: str) -> dict[str, Metric]:
    """All metrics by name."""
    said = [*_people(language), *_wallets(language), *_purchases(language), *_units(language), *_money(language)]
    said += [*_messages(language), *_desks(language)]
    return {name: Metric(name=name, unit=unit, title=title, formula=formula) for name, unit, title, formula in said}


Said = tuple[str, str, str, str]


def _in(language: str) -> Callable[[str], str]:
    def text(message: str) -> str:
        return i18n.text(language, message)

    return text


def _people(language: str) -> list[Said]:
    _ = _in(language)
    return [
        ("enrolments", "number", _("New members"),
         _("Loyalty cards that were made in the period, by the programme's calendar.")),
        ("active_members", "number", _("Active members"),
         _("Members with at least one purchase in the 90 days up to the last day of the period; a purchase that was "
           "returned whole does not count.")),
        ("active_cards", "number", _("Active cards"),
         _("Cards that are in a wallet on the last day of the period and whose members bought in the 90 days before.")),
        ("installed", "number", _("Cards in a wallet"),
         _("Members' cards that are in at least one wallet at the end of the last day of the period; gift cards do not "
           "count.")),
        ("install_rate", "share", _("Install rate"),
         _("Members' cards in a wallet at the end of the period ÷ members who ever joined until then.")),
        ("tier_moves_up", "number", _("Moves to a higher tier"),
         _("How often a card came to a higher tier in the period, its first one included.")),
        ("tier_moves_down", "number", _("Moves to a lower tier"),
         _("How often a card came to a lower tier in the period, or lost its last one.")),
    ]  # fmt: skip


def _wallets(language: str) -> list[Said]:
    _ = _in(language)
    return [
        ("installs", "number", _("Installs"),
         _("How often a card came into a wallet in the period. Apple and Google count each for itself; a second phone "
           "with the same card does not count.")),
        ("uninstalls", "number", _("Uninstalls"),
         _("How often a card left its last phone in one of the wallets in the period. It is not the same as refusing "
           "messages.")),
        ("net_installs", "number", _("Net installs"), _("Installs − uninstalls.")),
        ("uninstall_rate", "share", _("Uninstall rate"),
         _("Uninstalls in the period ÷ cards that were in that wallet when it began.")),
    ]  # fmt: skip


def _purchases(language: str) -> list[Said]:
    _ = _in(language)
    return [
        ("buyers", "number", _("Buyers"), _("Members with at least one purchase in the period that was not returned.")),
        ("repeaters", "number", _("Repeat buyers"), _("Members with at least two purchases in the period.")),
        ("repeat_rate", "share", _("Repeat purchase rate"),
         _("Members with at least two purchases in the period ÷ members with at least one.")),
        ("frequency", "decimal", _("Purchases per buyer in 30 days"),
         _("Purchases in the period ÷ buyers, brought to 30 days.")),
        ("median_gap", "days", _("Days between purchases"),
         _("The median of the members' own median number of days between one day of purchase and the next, of all "
           "members with three such days or more, as of last night.")),
        ("cohort_repeat", "share", _("Second purchase within so many days"),
         _("Of those whose first purchase was in the month and at least so many days ago, the share with a second one "
           "within so many days.")),
    ]  # fmt: skip


def _units(language: str) -> list[Said]:
    _ = _in(language)
    return [
        ("issued", "number", _("Issued"), _("Units given to members for purchases, events and loads of money.")),
        ("returned", "number", _("Taken back"), _("Units taken back because what earned them was undone.")),
        ("redeemed", "number", _("Redeemed"), _("Units that members used; of money, what they paid with it.")),
        ("given_back", "number", _("Given back"), _("Units that came back to members because their use was undone.")),
        ("expired", "number", _("Expired"), _("Units lost by time, less those whose expiry was undone.")),
        ("adjusted", "number", _("Corrected"), _("Units given or taken by hand, with a reason.")),
        ("written_off", "number", _("Written off"), _("Units that members owed and that were forgiven.")),
        ("moved", "number", _("Moved between cards"),
         _("Units that left one card for another; over all stores it comes to zero.")),
        ("outstanding", "number", _("Outstanding"),
         _("Units in members' hands at the end of the last day: what can be used, what is set aside and what waits, "
           "less what is owed.")),
        ("opening", "number", _("Opening"), _("Outstanding when the first day began.")),
        ("closing", "number", _("Closing"),
         _("Opening and all movements of the period together. A store's share is what was booked there, so it can "
           "fall below zero where points of other stores are used.")),
        ("redemption_rate", "share", _("Redemption rate (period)"),
         _("Points redeemed in the period, less those given back ÷ points issued in it, less those taken back.")),
        ("redemption_rate_cohort", "share", _("Redemption rate (by month of issue)"),
         _("Of the points that were credited in these months, the share that was redeemed until now.")),
        ("breakage", "share", _("Breakage"),
         _("Of the points of those months whose last expiry is over: expired ÷ credited.")),
    ]  # fmt: skip


def _money(language: str) -> list[Said]:
    _ = _in(language)
    return [
        ("liability", "money", _("Liability of points"),
         _("Outstanding points × value of a point × expected use. Value and expected use are the programme's own "
           "settings.")),
        ("money_owed", "money", _("Money owed to members"),
         _("Stored value in members' hands at the end of the last day; it is owed in full until it is used.")),
        ("deferred", "money", _("Deferred"),
         _("The part of sales that belongs to points still to be used: sales × worth of their points ÷ (sales + worth "
           "of their points), where worth is points × value of a point × expected use.")),
        ("revenue_now", "money", _("Revenue at once"), _("Sales − deferred.")),
        ("recognised", "money", _("Recognised since"),
         _("Deferred × points of that month used until last night ÷ points expected to be used; at most all of it.")),
        ("sales", "number", _("Purchases"), _("Purchases booked with a card, those returned later included.")),
        ("sales_amount", "money", _("Member sales"),
         _("What was paid for purchases with a card, less what was returned in the same days.")),
        ("programme_cost", "money", _("Cost of the programme"),
         _("Points redeemed × value of a point, and discounts of offers. Messages to wallets cost nothing.")),
        ("cost_rate", "share", _("Cost in member sales"), _("Cost of the programme ÷ member sales.")),
        ("discounts", "money", _("Discounts of offers"), _("What offers took off, less what was undone since.")),
        ("mean_sale", "money", _("Mean purchase"),
         _("What was paid for purchases of the period, less what was returned of them until now ÷ those purchases that "
           "were not returned whole.")),
        ("sales_per_year", "decimal", _("Purchases of a member in a year"),
         _("Purchases of the period that were not returned whole ÷ buyers, brought to 365 days; days that are still to "
           "come do not count.")),
        ("clv", "money", _("Value of a member (estimate)"),
         _("An estimate: mean purchase × margin × purchases of a member in a year × years a member stays. Margin and "
           "years are the programme's own settings.")),
    ]  # fmt: skip


def _messages(language: str) -> list[Said]:
    _ = _in(language)
    return [
        ("planned", "number", _("Planned"), _("Everybody whom the campaign looked at: sent and not sent together.")),
        ("eligible", "number", _("Eligible"), _("Those who may get it: treated and held back together.")),
        ("held_back", "number", _("Held back"), _("Those who may get it and were left out, to see its effect.")),
        ("sent", "number", _("Sent"),
         _("Cards that got it. Whether somebody looked at it is not known of any wallet.")),
        ("suppressed", "number", _("Not sent"), _("Those who did not get it, each with one reason.")),
        ("waiting", "number", _("Waiting"), _("Those who will get it, or whose turn is still to come.")),
        ("offer_uses", "number", _("Offers used"), _("Uses of offers in the period, less those undone in it.")),
        ("offer_redemption", "share", _("Used of sent"), _("Uses of the offer ÷ cards that its campaigns reached.")),
    ]  # fmt: skip


def _desks(language: str) -> list[Said]:
    _ = _in(language)
    return [
        ("points_given", "number", _("Points given"), _("Points of purchases, less those taken back.")),
        ("points_used", "number", _("Points used"), _("Points redeemed, less those given back.")),
        ("points_granted", "number", _("Points granted"), _("Points of purchases and events that they booked.")),
        ("points_taken", "number", _("Points taken"),
         _("Points that they used or set aside for members, less those let go.")),
        ("corrections", "number", _("Corrections"), _("Entries by which somebody corrected a balance by hand.")),
        ("undone", "number", _("Undone"), _("Entries that undid an earlier one.")),
        ("returned_amount", "money", _("Returned"), _("What was paid back for purchases that were undone.")),
        ("holds_placed", "number", _("Set aside"), _("Units reserved for a reward.")),
        ("holds_used", "number", _("Used from what was set aside"), _("Reserved units that were used.")),
        ("holds_released", "number", _("Let go"), _("Reserved units that came back because nobody used them.")),
    ]  # fmt: skip
