"""The roles that JustOn fills: payments and billing. Both speak to the same org."""

from activities.juston.billing import JustOnBilling
from activities.juston.payments import JustOnPayments, Link, Links

__all__ = ["JustOnBilling", "JustOnPayments", "Link", "Links"]
