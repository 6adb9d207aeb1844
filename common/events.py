"""The only signal of the house. News travel upward by it, and only upward."""

from django.dispatch import Signal

# Sent with organization_id inside the transaction that changed something a gateway must learn of.
config_changed = Signal()
