from django.apps import AppConfig


class GatewayConfigConfig(AppConfig):
    name = "gateway_config"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from gateway_config import receivers  # noqa: F401 - connects
