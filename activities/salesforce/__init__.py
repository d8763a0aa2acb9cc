"""The Salesforce platform, spoken by every system that lives in a Salesforce org."""
