"""Where this installation may connect to, and whom it trusts there."""

import ssl

from django.conf import settings

from common.egress import EgressPolicy
from common.machine import is_ours
from common.tls import trusting


def egress() -> EgressPolicy:
    listeners = frozenset((str(host), port) for host, port in settings.OWN_LISTENERS)
    return EgressPolicy(allow=settings.EGRESS_ALLOW_PRIVATE, own_listeners=listeners, is_ours=is_ours)


def trusted() -> ssl.SSLContext:
    return trusting(settings.UPSTREAM_CA_FILE)
