from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.limits import Limit, counted
        from audit.figures import calls_of_today, records_kept
        from audit.traffic import recorded_calls
        from policies.calls import counted_by
        from policies.traffic import recorded_by

        recorded_by(recorded_calls)
        counted_by(calls_of_today)
        counted(Limit.STORED_RECORDS, records_kept)
