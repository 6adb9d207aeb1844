from django.apps import AppConfig


class GatewayConfigConfig(AppConfig):
    name = "gateway_config"
    default_auto_field = "django.db.models.BigAutoField"
