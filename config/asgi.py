import os
from importlib import import_module

import django
from django.conf import settings
from django.core.asgi import get_asgi_application

from common.memory import collect_less
from config import env
from config.bodies import Application, with_bodies_up_to
from config.supervisor.lifeline import die_with_master

die_with_master()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

env.keys("ARGUMENT_KEYS")  # read when a call waits; a process without them must not get so far


def _application() -> Application:
    if settings.INTERNAL:
        # Gateways wait for news by the hundred: those views are coroutines, which need no thread.
        return get_asgi_application()
    django.setup(set_prefix=False)
    from config.serving import Site

    return Site()


application = with_bodies_up_to(settings.LARGEST_BODY, _application())
import_module(settings.ROOT_URLCONF)  # and with it every view, before the first request
collect_less()
