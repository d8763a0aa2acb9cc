"""FinancialForce (Certinia): the ERP role in a Salesforce org."""
