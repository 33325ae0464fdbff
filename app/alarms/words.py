"""Each alarm in plain words: what is wrong, what it means for customers, and what mends it."""

from collections.abc import Mapping

from app.errors import Sentence

# what is wrong; what it means for customers; what mends it
TEXTS = {
    "urgent_late": (
        "Changes made at a till do not reach phones: %(count)s wait, the first for %(minutes)s min.",
        "Customers see an old balance on their phone. The balance itself is right, and the till shows it.",
        "Look at the sync ledger: it says why. If nothing is stopped there, see that a worker runs.",
    ),
    "normal_late": (
        "Edited cards do not reach phones: %(count)s wait, the first for %(minutes)s min.",
        "Customers still see what was on their card before. Nothing is lost.",
        "Look at the sync ledger: it says why. If nothing is stopped there, see that a worker runs.",
    ),
    "offers_missed": (
        "Offers whose start was missed in the last day: %(count)s.",
        "Customers were never shown these offers: they had ended before anything here could start them.",
        "Keep a scheduler running, two on two machines for safety. Make the offer anew if it should still be given.",
    ),
    "campaigns_missed": (
        "Campaigns whose time was missed in the last day: %(count)s.",
        "Nobody was told: it was no longer worth it when something here could send them.",
        "Keep a scheduler running, two on two machines for safety. Make the campaign anew if it should still be sent.",
    ),
    "campaign_split": (
        "The groups of the campaign %(name)s are not of the sizes that were planned.",
        "Nobody got anything wrong. But what is compared is not what was planned, and its results cannot be trusted.",
        "Look at the results of the campaign: they say how many were held back. Do not decide by them; tell support.",
    ),
    "offer_budget": (
        "80 %% of the budget of the offer %(title)s are used.",
        "Customers still get it. When the budget is spent, it leaves their cards by itself.",
        "Raise the budget on the page of the offer, or let it run out.",
    ),
    "offer_spent": (
        "The budget of the offer %(title)s is spent; it is paused.",
        "It has left the cards, and tills refuse it with that reason.",
        "Raise the budget on the page of the offer and it goes on by itself, or let it end.",
    ),
    "breaker_open": (
        "Sending through %(sender)s is stopped (%(reason)s).",
        "Its phones show old balances until it goes on. Tills and balances are not touched.",
        "It tries again by itself. If it stays so, look at the status page of Apple or Google, and at your network.",
    ),
    "credential_refused": (
        "The credential of %(sender)s is refused (%(reason)s).",
        "Its phones show old balances until it is mended. Tills and balances are not touched.",
        "Renew the certificate or key and put the new one in its place; it is noticed and sending goes on by itself.",
    ),
    "wrong_topic": (
        "Apple refuses the pass type of %(sender)s (%(reason)s).",
        "Its iPhones show old balances until it is mended.",
        "The certificate must be of the same pass type as the programme: compare the two, then import the right one.",
    ),
    "wrong_team": (
        "Apple refuses the APNs key for %(sender)s (%(reason)s).",
        "Its iPhones show old balances until it is mended.",
        "The key (.p8), its id and the team must belong together: take all three from the same developer account.",
    ),
    "server_not_trusted": (
        "What answers in Apple's place is not trusted (%(reason)s).",
        "Nothing was sent to it. Its iPhones show old balances until it is mended.",
        "Set TESSERA_APNS_CA_FILE for a proxy of your own, to its authority; else see who intercepts the connection.",
    ),
    "gone_guard": (
        "Unusually many phones of %(sender)s were reported gone, and sending was stopped.",
        "No phone was forgotten. Its phones show old balances until sending goes on.",
        "See that certificate and address of the push service are the right ones, then press Try again now.",
    ),
    "credential_expires": (
        "The certificate of %(pass_type)s ends on %(day)s (days left: %(days)s).",
        "After that day no Apple card can be issued or brought up to date. Cards on phones stay, and tills go on.",
        "Renew it now: tessera certs csr %(pass_type)s, then tessera certs import. Old and new may overlap.",
    ),
    "credential_standby": (
        "Apple refuses the new certificate of %(pass_type)s (%(reason)s); the old one is used for pushes.",
        "None yet: iPhones are told with the old certificate until it expires. New cards are signed with the new one.",
        "Make it anew: tessera certs csr %(pass_type)s, then tessera certs import. The new one is tried every hour.",
    ),
    "credential_broken": (
        "Cards of %(pass_type)s cannot be signed (%(fault)s).",
        "Nobody can add such a card to an iPhone, and those there are stay as they are. Tills go on.",
        "Open the certificates page: it says step by step how to put this right.",
    ),
    "google_key": (
        "Google's service account cannot be used (%(fault)s).",
        "Nobody can add a card to Google Wallet, and those there are stay as they are. Tills go on.",
        "Download a new key for the service account and name its file in TESSERA_GOOGLE_CREDENTIALS.",
    ),
    "google_drift": (
        "Cards at Google that differed from what had been sent: %(count)s.",
        "Some customers may see other figures in Google Wallet than they have.",
        "What differed was sent again. If it happens again, see that nothing else writes with this issuer account.",
    ),
    "backup_old": (
        "The last backup is %(hours)s hours old.",
        "If this machine is lost today, all balances of the time since then are lost with it.",
        "Run tessera backup now, and see that it runs every night.",
    ),
    "backup_none": (
        "There is no backup yet.",
        "If this machine is lost, all balances are lost with it.",
        "Run tessera backup every night, and keep the file on another machine.",
    ),
    "backup_untried": (
        "No backup was ever tried.",
        "Whether a backup can be restored is known only once one was.",
        "Run tessera restore with --verify on the newest backup; it changes nothing here.",
    ),
    "want_not_version": (
        "Wallets that are to get another version than their card has: %(count)s.",
        "These customers may keep an old balance on their phone. This never happens in a healthy service.",
        "Keep the log and report it. Open the cards concerned and press Try now.",
    ),
    "ledger_mismatch": (
        "Accounts that differ from the sum of their postings: %(count)s.",
        "A balance shown to a customer may be wrong. This never happens in a healthy service.",
        "Stop paying out by hand, run tessera ledger verify, and compare with the last backup before anything else.",
    ),
    "no_scheduler": (
        "No scheduler has shown a sign of life for a minute.",
        "Offers do not start or end, and what failed is not tried again.",
        "Start it: tessera run, or tessera scheduler on a machine of its own.",
    ),
    "no_worker": (
        "No worker has shown a sign of life for a minute.",
        "Customers see old balances on their phones until one runs. Tills and balances are not touched.",
        "Start it: tessera run, or tessera worker on a machine of its own.",
    ),
    "worker_deaf": (
        "A process lives and has done no work for %(minutes)s min (%(node)s).",
        "Other workers and the scheduler do its share; changes may reach phones later.",
        "Restart that process. It loses nothing by it.",
    ),
    "disk_low": (
        "Only %(free_mb)s MB are free where the data lie.",
        "When the disk is full, tills are refused every sale until there is room.",
        "Make room or a larger disk. What the service writes itself is removed by age and needs no help.",
    ),
    "clock": (
        "The clock of %(node)s is %(seconds)s s off or jumped.",
        "Offers may start early or late, and changes may be sent twice or wait.",
        "Let this machine follow a time server, the same as the database's.",
    ),
    "broker_gone": (
        "Workers do not hear that there is work: the broker is away or frozen.",
        "Changes reach phones more slowly, since schedulers send in the workers' stead. Nothing is lost.",
        "Start the broker again, or look at TESSERA_BROKER_URL. Nothing needs to be sent again by hand.",
    ),
    "webhook_disabled": (
        "The webhook %(endpoint)s was switched off after failing for days.",
        "The system behind it is told of nothing any more. Customers notice nothing here.",
        "Mend the receiving system, switch the webhook on again, and send what was missed from its page.",
    ),
    "gone_jump": (
        "Pushes of the last quarter of an hour that found no phone: %(percent)s %%.",
        "Either many customers removed their card, or the certificate or push address is the wrong one.",
        "Look at the latest sends: if all name the same reason, compare certificate and pass type.",
    ),
    "parked": (
        "Parked wallets: %(count)s (%(reason)s).",
        "These customers keep what their phone shows until it is mended; everybody else is served.",
        "Open one of them from the sync ledger: it says what mends it. All are tried again once a day.",
    ),
    "sending_stopped": (
        "Sending was stopped by hand for %(scope)s (%(reason)s).",
        "Its phones show old balances until it is resumed.",
        "Resume it on the deliveries page; what waited is then sent.",
    ),
    "all_sending_stopped": (
        "All sending was stopped by hand (%(reason)s).",
        "Every phone shows old balances until it is resumed.",
        "Resume it on the deliveries page; what waited is then sent.",
    ),
}


def title(kind: str, values: Mapping[str, object]) -> Sentence:
    """What is wrong, with its figures."""
    return _sentence(kind, 0, values)


def meaning(kind: str, values: Mapping[str, object]) -> Sentence:
    """What it means for customers."""
    return _sentence(kind, 1, values)


def mend(kind: str, values: Mapping[str, object]) -> Sentence:
    """What to do about it."""
    return _sentence(kind, 2, values)


def _sentence(kind: str, place: int, values: Mapping[str, object]) -> Sentence:
    texts = TEXTS.get(kind)
    if texts is None:  # raised by another release
        return Sentence("%(kind)s", kind=kind if place == 0 else "")
    return Sentence(texts[place], **values)
