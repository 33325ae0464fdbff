"""What is sent and answered about results of campaigns."""

from marshmallow import Schema, fields, validate

from app.api import outgoing
from app.api.fields import Amount, Text, optional
from app.api.incoming import Strict, told
from app.results.sheets import KINDS
from app.results.verdict import METRICS, Says

VERDICTS = [one.value for one in Says]


class SheetAsked(Strict):
    sheet = Text(
        longest=10, load_default=KINDS[0],
        validate=[validate.OneOf(KINDS, error=f"A sheet is one of {', '.join(KINDS)}.")],
        metadata=told(f"One of {', '.join(KINDS)}"),
    )  # fmt: skip


class WorthOfCampaign(Strict):
    margin = optional(Amount(required=True, metadata=told("What one buyer brings; null: no money is to be claimed")))
    redemption_cost = Amount(load_default="0", metadata=told("Of one use, besides what it takes off the purchase"))
    sending_cost = Amount(load_default="0", metadata=told("Of telling everybody"))


class Estimate(Schema):
    value = fields.Float(required=True)
    low = fields.Float(required=True)
    high = fields.Float(required=True)


class NetMoney(Schema):
    value = outgoing.money()
    low = outgoing.money()
    high = outgoing.money()


def _estimate() -> fields.Field[Estimate]:
    return optional(fields.Nested(Estimate, required=True))


class CampaignEffect(Schema):
    """`difference` is treated less held back: shares as fractions, visits for one member, spend in minor units.

    It is null where a group is empty, and of visits and spend where a group has fewer than ten people.
    """

    metric = outgoing.one_of(*METRICS)
    verdict = outgoing.one_of(*VERDICTS)
    treated = optional(fields.Float(required=True))
    held_back = optional(fields.Float(required=True))
    difference = _estimate()
    relative_lift = optional(
        fields.Nested(Estimate, required=True, metadata={"description": "null: it cannot be computed"})
    )
    incremental = optional(
        fields.Nested(Estimate, required=True, metadata={"description": "The difference for all who were treated"})
    )
    p = optional(fields.Float(required=True))


class CampaignGroup(Schema):
    people = outgoing.whole()
    buyers = outgoing.whole()
    purchases = outgoing.whole()
    spend = outgoing.money()
    redeemers = outgoing.whole()
    uses = outgoing.whole()
    cost = outgoing.money()


class CampaignGroups(Schema):
    treated = fields.Nested(CampaignGroup, required=True)
    held_back = fields.Nested(CampaignGroup, required=True)
    held_back_of_everything = fields.Nested(CampaignGroup, required=True)


class CampaignCounted(Schema):
    """`planned` = `sent` + `waiting` + the sum of `suppressed`."""

    planned = outgoing.whole()
    sent = outgoing.whole()
    waiting = outgoing.whole()
    suppressed = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    notes = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class CampaignDelivered(Schema):
    """`accepted` by a wallet's service, `fetched` by an Apple phone; nobody says whether it was `shown`: null."""

    accepted = outgoing.whole()
    apple = outgoing.whole()
    google = outgoing.whole()
    fetched = outgoing.whole()
    shown = outgoing.whole(null=True)


class GroupSplit(Schema):
    chi_square = fields.Float(required=True)
    p = fields.Float(required=True)
    alarm = fields.Boolean(required=True)


class CampaignMoney(Schema):
    """`cost`: of all uses and of sending. `net` is null while nobody has said what a buyer brings."""

    currency = outgoing.text()
    margin = outgoing.money(null=True)
    redemption_cost = outgoing.money(null=True)
    sending_cost = outgoing.money(null=True)
    cost = outgoing.money()
    net = optional(fields.Nested(NetMoney, required=True))


class CoursePoint(Schema):
    at = outgoing.moment()
    sent = outgoing.whole()
    accepted = outgoing.whole()
    fetched = outgoing.whole()
    redeemed = outgoing.whole()


class CampaignResults(Schema):
    campaign = outgoing.text()
    computed_at = outgoing.moment()
    ends_at = outgoing.moment(null=True)
    interim = fields.Boolean(required=True, metadata={"description": "true: somebody's window is still open"})
    days = outgoing.whole()
    counts = fields.Nested(CampaignCounted, required=True)
    delivery = fields.Nested(CampaignDelivered, required=True)
    groups = fields.Nested(CampaignGroups, required=True)
    effect = fields.Nested(CampaignEffect, required=True)
    buyers = fields.Nested(CampaignEffect, required=True)
    split = optional(fields.Nested(GroupSplit, required=True))
    money = fields.Nested(CampaignMoney, required=True)
    redeemed_by_day = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    course = fields.List(fields.Nested(CoursePoint), required=True)
