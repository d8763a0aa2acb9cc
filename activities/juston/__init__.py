"""JustOn: Cash Management fills the payments role, Billing & Invoice Management the billing role."""
