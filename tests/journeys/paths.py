"""Which pages are inspected as whom, and which routes are not pages."""

from typing import Final

from django.urls import URLPattern, URLResolver, get_resolver

OUTSIDE: Final = (
    # /api/docs/, the largest page, is the same for everyone: it is inspected once, as Alice.
    "/",
    "/api/docs/problems/stale/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/nothing/",
    "/invitations/answer/",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/nothing-of-the-kind/",
    "/accounts/inactive/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/done/",
    "/accounts/password/reset/key/1-nothing/",
    # The catalogue as it is shipped.
    "/catalogue/",
    "/catalogue/?q=create&class=Write",
    "/catalogue/?q=nothing-of-this-kind",
    "/catalogue/risk/critical/",
    "/catalogue/compare/?a=awslabs-iam-mcp-server&b=awslabs-eks-mcp-server",
    "/catalogue/wrong-label/?server=awslabs-iam-mcp-server&tool=create_access_key",
    "/servers/awslabs-iam-mcp-server/",
    "/tools/awslabs-iam-mcp-server/create_access_key/",
    "/tools/awslabs-iam-mcp-server/no_such_tool/",
    "/attacks/",
    "/attacks/prompt-injection/",
    "/glossary/",
    "/contact/",
)
WITHOUT_DATA: Final = (
    "/jump/?q=nothing-is-called-so",
    *("/overview/?stay=1", "/servers/", "/servers/everything/", "/log/", "/workers/", "/settings/"),
    *("/approvals/", "/approvals/history/", "/approvals/settings/", "/settings/members/"),
    *("/settings/api-keys/", "/settings/security/", "/settings/events/"),
    "/accounts/address/nothing-of-the-kind/",
    "/policies/arrive/?for=awslabs-iam-mcp-server/create_access_key",
    *("/get-started/", "/policies/", "/grants/", "/policies/new/", "/grants/issue/"),
)
OF_STAFF: Final = (
    "accounts/user",
    *(f"catalog/{name}" for name in ("catalogserver", "catalogtool", "contactmessage", "labelreport")),
    "catalog/sourcecheck",
)
# Routes that do not answer with a page: verbs, fragments, streams, files, and results of sending a form.
NO_PAGES: Final = {
    *("catalog.json", "llms.txt", "robots.txt", "sitemap.xml", "sitemaps/<str:name>.xml"),
    *("servers/<publicslug:server_slug>.json", "tools/<publicslug:server_slug>/<str:tool_slug>.json"),
    *("catalogue.json", "catalogue/compare.json", "catalogue/risk/<str:level>.json", "glossary.json"),
    *("attacks.json", "attacks/<slug:key>.json"),
    # Leads to the server.
    "tools/<publicslug:server_slug>/",
    # Lead to the address in lower case.
    *("servers/<capitals:server_slug>/", "servers/<capitals:server_slug>.json"),
    *("tools/<capitals:server_slug>/", "tools/<capitals:server_slug>/<path:rest>"),
    *("catalogue/reports/<int:report_id>/", "catalogue/messages/<int:message_id>/"),
    *("admin/jsi18n/", "admin/(?P<url>.*)$"),
    *(
        "healthz",
        "readyz",
        "workers/publish-again/",
        "get-started/steps/",
        "log/live/",
        "log/export.csv",
        "servers/everything/everything.csv",
        "servers/register/known/",
        "log/export.ndjson",
    ),
    *("settings/api-keys/<str:key_id>/revoke/", "organizations/switch/"),
    *("settings/rename/", "settings/leave/", "invitations/<str:token>/"),
    *(f"settings/members/<str:member_id>/{verb}/" for verb in ("role", "remove")),
    *(f"settings/invitations/<str:invitation_id>/{verb}/" for verb in ("resend", "withdraw")),
    *(f"servers/<str:server_id>/{verb}/" for verb in ("scan", "scan/progress", "scan/stop", "retire")),
    *(
        f"policies/<str:policy_id>/{verb}/"
        for verb in (
            "check",
            "save",
            "discard",
            "publish",
            "builder",
            "try",
            "rewrite",
            "vocabulary",
            "live",
            "difference",
        )
    ),
    *(f"policies/<str:policy_id>/tests/{verb}/" for verb in ("keep", "drop", "expect")),
    *(f"policies/<str:policy_id>/revisions/<int:number>/{verb}/" for verb in ("restore", "rollout")),
    "approvals/live/",
    # Redirects to another page, or answers to a request of the browser's own.
    *("accounts/login/code/confirm/", "accounts/password/set/", "accounts/2fa/webauthn/login/"),
    *("accounts/2fa/recovery-codes/download/", "accounts/2fa/webauthn/reauthenticate/"),
    # Inspected where a key is made.
    *(f"accounts/2fa/webauthn/keys/<int:pk>/{verb}/" for verb in ("edit", "remove")),
    *(f"approvals/<str:approval_id>/{verb}/" for verb in ("approve", "decline", "remind")),
    *(f"approvals/settings/{verb}/" for verb in ("rules", "mail", "webhooks")),
    *(
        f"approvals/settings/webhooks/<str:webhook_id>/{verb}/"
        for verb in ("test", "remove", "rotate", "switch", "deliveries/<str:delivery_id>/redeliver")
    ),
    *(f"grants/<str:grant_id>/{verb}/" for verb in ("move", "rotate", "revoke", "first-call")),
}


def all_routes() -> set[str]:
    found = set()

    def walk(resolver: URLResolver, prefix: str) -> None:
        for entry in resolver.url_patterns:
            if isinstance(entry, URLResolver):
                walk(entry, prefix + str(entry.pattern))
            elif isinstance(entry, URLPattern):
                # Join patterns as Django does when it resolves a path.
                own = str(entry.pattern)
                found.add(prefix + (own.removeprefix("^") if prefix else own))

    walk(get_resolver("config.urls"), "")
    return found
