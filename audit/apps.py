from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit.figures import calls_of_today
        from policies.calls import counted_by

        counted_by(calls_of_today)
