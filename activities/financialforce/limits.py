"""The room of FinancialForce's fields. Salesforce counts text in UTF-16 units."""

from decimal import Decimal

from commerce.model import Model
from commerce.text import DoesNotFit, Limit, Unit


class NumberLimit(Model):
    """Digits left of the point and decimals of a number field."""

    field: str
    left: int
    decimals: int

    def fits(self, value: Decimal) -> bool:
        return value == round(value, self.decimals) and abs(value) < Decimal(10) ** self.left

    def require(self, value: Decimal) -> Decimal:
        """The value itself when the field holds it digit for digit; raises DoesNotFit when not."""
        if not self.fits(value):
            raise DoesNotFit(
                f"{self.field} takes {self.left} digits and {self.decimals} decimals, the value is {value}"
            )
        return value


def _text(field: str, size: int) -> Limit:
    return Limit(field=field, size=size, unit=Unit.UTF16)


KEY = _text("external id of the org", 255)
LINE_TITLE = _text("title of a sales order line", 255)
CANCELLATIONS = _text("cancellations of a sales order line", 32768)
TRANSFER_REASON = _text("reason of a transfer request", 255)
ORDER_DATA = _text("order data of a sales order", 131072)
CUSTOMER_PURCHASE_ORDER = _text("SCMC__Sales_Order__c.SCMC__Customer_Purchase_Order__c", 80)
EXISTING_SO_NUMBER = _text("SCMC__Sales_Order__c.SCMC__Existing_SO_Number__c", 80)
TOTAL_TAX = NumberLimit(field="SCMC__Sales_Order__c.SCMC__Total_Tax__c", left=7, decimals=2)
QUANTITY = NumberLimit(field="SCMC__Sales_Order_Line_Item__c.SCMC__Quantity__c", left=14, decimals=4)
PRICE = NumberLimit(field="SCMC__Sales_Order_Line_Item__c.SCMC__Price__c", left=9, decimals=9)
# Addresses decide where goods go: only the name, which people read, is shortened.
ADDRESS_NAME = _text("SCMC__Customer_Address__c.SCMC__Display_Name__c", 80)
ADDRESS_LINE = _text("SCMC__Customer_Address__c.SCMC__Mailing_Street__c", 255)
ADDRESS_MORE = _text("SCMC__Customer_Address__c.SCMC__Mailing_Street_Additional_Information__c", 255)
ADDRESS_CITY = _text("SCMC__Customer_Address__c.SCMC__Mailing_City__c", 255)
ADDRESS_REGION = _text("SCMC__Customer_Address__c.SCMC__Mailing_State_Province__c", 100)
ADDRESS_POSTCODE = _text("SCMC__Customer_Address__c.SCMC__Mailing_Zip_Postal_Code__c", 15)
CASH_REFERENCE = _text("c2g__codaCashEntry__c.c2g__Reference__c", 80)
CASH_DESCRIPTION = _text("c2g__codaCashEntry__c.c2g__Description__c", 255)
CASH_ACCOUNT_REFERENCE = _text("c2g__codaCashEntryLineItem__c.c2g__AccountReference__c", 255)
CASH_VALUE = NumberLimit(field="c2g__codaCashEntry__c.c2g__Value__c", left=16, decimals=2)
EXTERNAL_ID_CHARACTERS = 32
