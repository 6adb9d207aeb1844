from django.urls import path, register_converter

from catalog.views import as_json, attacks, compare, forms, index, machines, servers, staff, tools


class PublicSlugConverter:
    """The slug of a server of the index. An organization's own server has an underscore in its address, and
    the two words excluded here are pages of the organization."""

    regex = "(?!(?:register|everything)/)[a-z0-9][a-z0-9-]{0,99}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class CapitalsConverter(PublicSlugConverter):
    """The slug of a server typed with capitals, which no slug has."""

    regex = "(?=[a-z0-9-]*[A-Z])[A-Za-z0-9][A-Za-z0-9-]{0,99}"


register_converter(PublicSlugConverter, "publicslug")
register_converter(CapitalsConverter, "capitals")

app_name = "catalog"

urlpatterns = [
    path("catalogue/", index.index, name="index"),
    path("catalogue/risk/<str:level>/", index.risk, name="risk"),
    path("catalogue/compare/", compare.compare, name="compare"),
    path("catalogue/wrong-label/", forms.wrong_label, name="wrong-label"),
    path("catalogue/reports/", staff.reports, name="reports"),
    path("catalogue/reports/<int:report_id>/", staff.settle, name="settle"),
    path("catalogue/messages/", staff.messages, name="messages"),
    path("catalogue/messages/<int:message_id>/", staff.answered, name="answered"),
    path("servers/<publicslug:server_slug>/", servers.server, name="server"),
    path("servers/<publicslug:server_slug>.json", servers.server_json, name="server-json"),
    path("tools/<publicslug:server_slug>/", servers.from_its_tools, name="tools"),
    path("tools/<publicslug:server_slug>/<str:tool_slug>.json", tools.tool_json, name="tool-json"),
    path("tools/<publicslug:server_slug>/<str:tool_slug>/", tools.tool, name="tool"),
    path("servers/<capitals:server_slug>/", servers.in_lower_case),
    path("servers/<capitals:server_slug>.json", servers.in_lower_case),
    path("tools/<capitals:server_slug>/", servers.in_lower_case),
    path("tools/<capitals:server_slug>/<path:rest>", servers.in_lower_case),
    path("attacks/", attacks.index, name="attacks"),
    path("attacks/<slug:key>/", attacks.attack, name="attack"),
    path("glossary/", attacks.glossary, name="glossary"),
    path("contact/", forms.contact, name="contact"),
    path("catalogue.json", as_json.index, name="index-json"),
    path("catalogue/risk/<str:level>.json", as_json.risk, name="risk-json"),
    path("catalogue/compare.json", as_json.compare, name="compare-json"),
    path("attacks.json", as_json.attacks, name="attacks-json"),
    path("attacks/<slug:key>.json", as_json.attack, name="attack-json"),
    path("glossary.json", as_json.glossary, name="glossary-json"),
    path("catalog.json", machines.catalog_json, name="catalog-json"),
    path("llms.txt", machines.llms, name="llms"),
    path("robots.txt", machines.robots, name="robots"),
    path("sitemap.xml", machines.sitemap_index, name="sitemap"),
    path("sitemaps/<str:name>.xml", machines.sitemap, name="sitemap-part"),
]
