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

env.keys("ARGUMENT_KEYS")  # used only once a call waits; a process without them must not even start


def _application() -> Application:
    if settings.INTERNAL:
        # Hundreds of gateways wait for news at once: those views are coroutines, which need no thread.
        return get_asgi_application()
    django.setup(set_prefix=False)
    from config.serving import Site

    return Site()


application = with_bodies_up_to(settings.LARGEST_BODY, _application())
import_module(settings.ROOT_URLCONF)  # imports every view before the first request
collect_less()
