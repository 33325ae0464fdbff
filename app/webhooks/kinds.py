"""The kinds of events, and whom they concern."""

CARD_CREATED = "card.created"
CARD_INSTALLED = "card.installed"
CARD_UNINSTALLED = "card.uninstalled"
CARD_UPDATED = "card.updated"
TRANSACTION_CREATED = "transaction.created"
OFFER_REDEEMED = "offer.redeemed"
OFFER_BUDGET = "offer.budget"
CAMPAIGN_FINISHED = "campaign.finished"
ALARM_RAISED = "alarm.raised"
ALARM_CLEARED = "alarm.cleared"
PING = "ping"  # only ever sent when somebody asks for it, to the endpoint it is asked of

OF_PROGRAMME = (
    CARD_CREATED,
    CARD_INSTALLED,
    CARD_UNINSTALLED,
    CARD_UPDATED,
    TRANSACTION_CREATED,
    OFFER_REDEEMED,
    OFFER_BUDGET,
    CAMPAIGN_FINISHED,
)
OF_INSTALLATION = (ALARM_RAISED, ALARM_CLEARED)
ALL = OF_PROGRAMME + OF_INSTALLATION


def for_scope(programme_id: int | None) -> tuple[str, ...]:
    """The kinds that an endpoint of one programme, or of the whole installation, can ask for."""
    return ALL if programme_id is None else OF_PROGRAMME
