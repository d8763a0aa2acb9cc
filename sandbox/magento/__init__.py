"""The Adobe Commerce (Magento 2.4.x) stand-in: the vendor's REST interface over the sandbox's own store."""
