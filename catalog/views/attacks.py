"""Attack patterns and the glossary."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from catalog.advice import as_text
from catalog.attack_pages import judged, wanting
from catalog.attacks import ATTACKS, by_key
from catalog.glossary import TERMS
from catalog.public import public_page
from catalog.views._shared import absolute, page


@public_page
def index(request: HttpRequest) -> HttpResponse:
    return page(request, "catalog/attacks.html", {"attacks": ATTACKS, "crumbs": [("Attack patterns", "")]})


@public_page
def attack(request: HttpRequest, key: str) -> HttpResponse:
    found = by_key().get(key)
    if found is None:
        raise Http404
    context = {
        "attack": found,
        "policy": as_text(found.policy),
        "rows": judged(found),
        "tools": wanting(found),
        "others": [one for one in ATTACKS if one is not found],
        "crumbs": [("Attack patterns", reverse("catalog:attacks")), (found.title, "")],
    }
    article = {
        "@context": "https://schema.org",
        "@type": "TechArticle",
        "headline": found.title,
        "description": found.short,
        "url": absolute(request.path),
    }
    return page(request, "catalog/attack.html", context, about=found.title, ld=[article])


@public_page
def glossary(request: HttpRequest) -> HttpResponse:
    terms = {
        "@context": "https://schema.org",
        "@type": "DefinedTermSet",
        "name": "Words of agents, tools and policies",
        "url": absolute(request.path),
        "hasDefinedTerm": [
            {
                "@type": "DefinedTerm",
                "name": term.word,
                "description": term.meaning,
                "url": absolute(f"{request.path}#{term.key}"),
            }
            for term in TERMS
        ],
    }
    return page(request, "catalog/glossary.html", {"terms": TERMS, "crumbs": [("Glossary", "")]}, ld=[terms])
