import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from config import env
from config.bodies import with_bodies_up_to
from config.supervisor.lifeline import die_with_master

die_with_master()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

env.keys("ARGUMENT_KEYS")  # read when a call waits; a process without them must not get so far

application = with_bodies_up_to(settings.LARGEST_BODY, get_asgi_application())
