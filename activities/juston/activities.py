"""The roles that JustOn fills: payments and billing. Both speak to the same org."""

from activities.juston.billing import JustOnBilling
from activities.juston.payments import JustOnPayments, Memory

__all__ = ["JustOnBilling", "JustOnPayments", "Memory"]
