"""Lists every route from the URL resolver, so that a new one is known as soon as it exists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern

# The same for everyone: they contain no tenant's data.
PUBLIC = {"", "healthz", "readyz", "api/docs/", "api/docs/problems/{kind}/", "api/v1/schema/"}
PUBLIC |= {"catalogue.json", "catalogue/risk/{level}.json", "catalogue/compare.json", "glossary.json"}
PUBLIC |= {"attacks.json", "attacks/{key}.json"}
PUBLIC |= {"catalog.json", "llms.txt", "robots.txt", "sitemap.xml", "contact/", "glossary/", "catalogue/"}
PUBLIC |= {f"catalogue/{name}/" for name in ("compare", "risk/{level}", "wrong-label")}
PUBLIC |= {"servers/{server_slug}/", "servers/{server_slug}.json", "sitemaps/{name}.xml"}
# Invitations are for people who belong to no organization yet: tests/accounts/test_invitations.py.
PUBLIC_PREFIXES = (
    *("accounts/", "invitations/", "static/", "attacks/"),
    *("tools/{server_slug}/", "api/v1/catalog/"),
)


@dataclass(frozen=True)
class Route:
    template: str
    names: tuple[str, ...]

    @property
    def is_api(self) -> bool:
        return self.template.startswith("api/")

    @property
    def is_public(self) -> bool:
        return self.template in PUBLIC or self.template.startswith(PUBLIC_PREFIXES)

    def path(self, ids: dict[str, str]) -> str:
        return "/" + self.template.format(**{name: ids[name] for name in self.names})


def routes() -> list[Route]:
    return [Route(template, names) for template, names in _walk(get_resolver("config.urls"), "")]


def _walk(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _walk(entry, prefix + str(entry.pattern))
        # The catch-all knows no tenant; tests/contracts/test_api_never_500.py tests it.
        elif not isinstance(entry.pattern, RegexPattern):
            yield _template(prefix + str(entry.pattern), entry)


def _template(pattern: str, entry: URLPattern) -> tuple[str, tuple[str, ...]]:
    names = tuple(getattr(entry.pattern, "converters", {}))
    for name, converter in getattr(entry.pattern, "converters", {}).items():
        kind = type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
        pattern = pattern.replace(f"<{kind}:{name}>", "{" + name + "}").replace(f"<{name}>", "{" + name + "}")
    return pattern, names
