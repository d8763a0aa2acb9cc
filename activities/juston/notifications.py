"""Which notifications of the org's flow are about entries, and which about invoices."""

from activities.juston.settings import JustOnSettings
from activities.salesforce.notifications import OrgNotifications


class JustOnNotifications(OrgNotifications):
    def __init__(self, settings: JustOnSettings, *, system: str) -> None:
        if settings.webhook_secret is None:
            raise ValueError("webhook_secret is missing: notifications without a shared secret prove nothing")
        cash, billing = settings.fields.cash, settings.fields.billing
        sources = {
            **dict.fromkeys((cash.entry, cash.payment), f"{system}:entries"),
            **dict.fromkeys((billing.order, billing.invoice), f"{system}:billing"),
        }
        super().__init__(settings.webhook_secret.get_secret_value(), sources, key="assignmentKey")
