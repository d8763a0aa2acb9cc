"""JustOn's hosted payment service. Its records live in the Salesforce org (`sandbox.salesforce.packages.cash`)."""
