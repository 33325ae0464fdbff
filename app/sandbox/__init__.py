"""Stand-ins for APNs, Google Wallet and the phones.

They judge on their own: nothing else of the product is imported here, and the product meets them by address only.
"""
