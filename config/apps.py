from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Every process of ours sends tasks, so each must know the broker.
        from config import celery  # noqa: F401
