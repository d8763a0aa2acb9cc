"""The managed packages of the sandbox's org, and the merchant's own objects. Each module offers `install(org)`."""
