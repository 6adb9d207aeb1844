"""Where this installation may connect to."""

from django.conf import settings

from common.egress import EgressPolicy


def egress() -> EgressPolicy:
    listeners = frozenset((str(host), port) for host, port in settings.OWN_LISTENERS)
    return EgressPolicy(allow=settings.EGRESS_ALLOW_PRIVATE, own_listeners=listeners)
