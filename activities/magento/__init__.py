"""Magento / Adobe Commerce 2.4 as the storefront, over its REST web API."""
