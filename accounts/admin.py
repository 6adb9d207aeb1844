"""Django's admin as staff have it: for looking only. `config.admin` says at what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db.models import Exists, F, Model, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern, URLResolver

from accounts.models import User
from accounts.staff import Answered, staff_only
from common.errors import NotAllowed
from common.templatetags._text import named

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

# People sign in and out, and change their password, where everyone does.
_ELSEWHERE = {"login", "logout", "password_change", "password_change_done", "autocomplete", "view_on_site"}


def _read_only(view: Answered[...]) -> Answered[...]:
    def looked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            raise NotAllowed("These pages are for looking only: nothing can be changed here.")
        return view(request, *args, **kwargs)

    return looked


def _hiding_nothing(view: Answered[...]) -> Answered[...]:
    """Django shows strangers' text as it is; here, too, what is invisible in it is shown as U+XXXX."""

    def looked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = view(request, *args, **kwargs)
        if isinstance(answer, SimpleTemplateResponse):
            answer.add_post_render_callback(_name_the_invisible)
        return answer

    return looked


def _name_the_invisible(answer: HttpResponse) -> None:
    answer.content = named(answer.content.decode()).encode()


class StaffSite(admin.AdminSite):
    site_title = site_header = "PolicyLayer for staff"
    index_title = "What staff can see"
    enable_nav_sidebar = False

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [entry for entry in super().get_urls() if getattr(entry, "name", None) not in _ELSEWHERE]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        return staff_only(_read_only(_hiding_nothing(super().admin_view(view, cacheable))))


class ReadOnly(ModelAdmin):
    """A list and a page per row. `fields` names what is shown: whatever a model gains later is not."""

    actions = None
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        """Only the list and the page: the others change something, or read a log that nothing writes."""
        return [each for each in super().get_urls() if (each.name or "").endswith(("_changelist", "_change"))]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only the filters of the list: any other would tell, letter by letter, what no page shows."""
        return lookup.partition("__")[0] in self.list_filter

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404
        return found

    def view_on_site(self, obj: Model) -> str | None:
        address = getattr(obj, "get_absolute_url", None)
        return address() if address else None


class People(ReadOnly):
    fields = ("email", "date_joined", "last_login", "is_active", "is_staff", "confirmed", "second_factor")
    list_display = fields
    list_filter = ("is_staff", "is_active", "date_joined")
    search_fields = ("email",)
    search_help_text = "Part of an e-mail address"
    ordering = ("-date_joined", "email")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        own = EmailAddress.objects.filter(user=OuterRef("pk"), email__iexact=OuterRef("email"), verified=True)
        return User.objects.annotate(
            is_confirmed=Exists(own), has_factor=Exists(Authenticator.objects.filter(user=OuterRef("pk")))
        )

    @admin.display(description="confirmed", boolean=True, ordering=F("is_confirmed"))
    def confirmed(self, user: Any) -> bool:
        return bool(user.is_confirmed)

    @admin.display(description="second factor", boolean=True, ordering=F("has_factor"))
    def second_factor(self, user: Any) -> bool:
        return bool(user.has_factor)
