"""Every room's tables, gathered for migrations and nothing else."""

from app import idempotency
from app.alarms import models as alarms
from app.campaigns import models as campaigns
from app.cards import models as cards
from app.clubs import models as clubs
from app.coupons import models as coupons
from app.db import Base
from app.delivery import models as delivery
from app.earning import models as earning
from app.enrolment import models as enrolment
from app.fraud import models as fraud
from app.habits import models as habits
from app.ledger import models as ledger
from app.offers import models as offers
from app.outbox import models as outbox
from app.pilots import models as pilots
from app.reports import models as reports
from app.results import models as results
from app.rewards import models as rewards
from app.segments import models as segments
from app.staff import models as staff
from app.stamps import models as stamps
from app.tiers import models as tiers
from app.till import models as till
from app.value import models as value
from app.wallets.apple import models as apple
from app.wallets.google import models as google
from app.webhooks import models as webhooks

ROOMS = (
    alarms, apple, campaigns, cards, clubs, coupons, delivery, earning, enrolment, fraud, google, habits, idempotency,
    ledger, offers, outbox, pilots, reports, results, rewards, segments, staff, stamps, tiers, till, value, webhooks,
)  # fmt: skip
metadata = Base.metadata
