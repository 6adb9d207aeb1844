"""The project's signals. They carry news to the apps above, and only upwards."""

from django.dispatch import Signal

# Sent with organization_id inside the transaction that changed something a gateway must learn of.
config_changed = Signal()

# Sent with organization_id, kind and data (ids, names, counts; never an argument or a secret) inside the
# transaction in which something happened that people outside may want to hear of.
happened = Signal()

# Sent with organization_id inside the transaction that deletes it, before anything of it is gone. The
# database refuses to delete an organization whose gateways will not hear of it.
organization_closed = Signal()
