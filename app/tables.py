"""Every room's tables, gathered for migrations and nothing else."""

from app import idempotency
from app.alarms import models as alarms
from app.cards import models as cards
from app.db import Base
from app.delivery import models as delivery
from app.enrolment import models as enrolment
from app.ledger import models as ledger
from app.offers import models as offers
from app.outbox import models as outbox
from app.staff import models as staff
from app.wallets.apple import models as apple
from app.wallets.google import models as google
from app.webhooks import models as webhooks

ROOMS = (alarms, apple, cards, delivery, enrolment, google, idempotency, ledger, offers, outbox, staff, webhooks)
metadata = Base.metadata
