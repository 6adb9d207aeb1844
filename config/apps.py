from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Tasks are sent from every process of ours, so each knows the broker.
        from config import celery  # noqa: F401
