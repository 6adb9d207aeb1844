import os
from importlib import import_module

import django
from django.conf import settings
from django.core.asgi import get_asgi_application

from common.memory import collect_less
from config import counts, env
from config.bodies import Application, with_bodies_up_to
from config.supervisor.lifeline import die_with_master

die_with_master()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")


def _application() -> Application:
    # Used only once something is sealed; a process without them must not even start.
    for name in ("ARGUMENT_KEYS",) if settings.INTERNAL else ("ARGUMENT_KEYS", "SEALING_KEYS"):
        env.keys(name)
    if settings.INTERNAL:
        # Hundreds of gateways wait for news at once: those views are coroutines, which need no thread.
        return get_asgi_application()
    django.setup(set_prefix=False)
    from config.serving import Site

    return Site()


with env.or_exit():
    application = with_bodies_up_to(settings.LARGEST_BODY, _application())
    import_module(settings.ROOT_URLCONF)  # imports every view before the first request
    counts.begin("internal" if settings.INTERNAL else "web")
collect_less()
