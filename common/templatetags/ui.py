"""The template tags of our look, built in: no template loads them. See templates/components/README.md.

Marks:   icon "eye" · glyph "ask" · effect "limited" text="30/min" · outcome record.outcome record.code ·
         tool_class "Write" · severity "high" · tag "new" · ago moment
         {{ name|oneline }} · {{ text|shown }} · {{ name|plain }} · json_text document · json_line line
Figures: share_bar counts · effect_counts counts live=counts_before · rollout state words="..."
Blocks:  page_header "Title" lede= crumbs= · note "warn" · empty "No calls yet" · code "shell"
         · table "Caption" · step 3 "Issue a grant" state="now"; each ends with its end tag
Forms:   csrf_token · field form.name hint= label= · options choices wanted ·
         error_summary form "Not saved." · problem_list problems target="id_document"
Ways:    url "servers:detail" server.public_id · seg items label="View" · pager page noun="servers"
Frame:   asset "app.css" · theme_attribute
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.http import QueryDict
from django.template import Context, loader
from django.template.defaulttags import CsrfTokenNode
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.going_back import chosen_on
from common.spans import span_in_words
from common.templatetags import _assets, _fields, _icons, _json, _text, _ways, _words
from common.templatetags._moulds import filled
from common.user_agents import browser_words

register = template.Library()


# ---- marks
@register.simple_tag
def asset(name: str) -> str:
    """A built file's address; it changes with the file, so an old copy is never used with a new page."""
    return _assets.address(name)


# A page shows the same few marks hundreds of times. `typed`: a safe text is not an equal unsafe one.
_drawn_once = lru_cache(maxsize=1024, typed=True)


def _icon(name: str, classes: str = "ic-s") -> SafeString:
    return _drawn_icon(_assets.sprite(), name, classes)


@_drawn_once
def _drawn_icon(sprite: str, name: str, classes: str) -> SafeString:
    return format_html(
        '<svg class="ic {}" aria-hidden="true"><use href="{}#i-{}"/></svg>', classes, sprite, name
    )


register.simple_tag(_icon, name="icon")


@register.simple_tag
def glyph(key: str, classes: str = "") -> SafeString:
    return _drawn_glyph(_assets.sprite(), key, classes)


@_drawn_once
def _drawn_glyph(sprite: str, key: str, classes: str) -> SafeString:
    return format_html(
        '<svg class="gl {}" aria-hidden="true" viewBox="0 0 24 24"><use href="{}#g-{}"/></svg>',
        classes,
        sprite,
        key,
    )


def _pill(key: str, words: str, kind: str = "") -> SafeString:
    return _drawn_pill(glyph(key), key, words, kind)


@_drawn_once
def _drawn_pill(drawn: SafeString, key: str, words: str, kind: str) -> SafeString:
    return format_html('<span class="out {}" data-o="{}">{}{}</span>', kind, key, drawn, words)


@register.simple_tag
def effect(value: str, text: str = "", kind: str = "") -> SafeString:
    """What a policy does to a tool. `kind`: "ghost" for inherited or suggested, "plain" without tint."""
    key = _words.effect_key(value)
    return _pill(key, text or _words.EFFECT_WORDS[key], kind)


@register.simple_tag
def outcome(value: str, code: str | None = None, kind: str = "", approval: object = None) -> SafeString:
    """What became of one call. `approval`: the approval that it was sent by, if a person agreed to it."""
    key, words = _words.outcome_words(value, code, approved=bool(approval))
    return _pill(key, words, kind)


@register.simple_tag
def tool_class(name: str | None) -> SafeString:
    shown_icon, words = _words.class_words(name)
    return _drawn_class(_icon(shown_icon, "ic-s mute"), words)


@_drawn_once
def _drawn_class(drawn: SafeString, words: str) -> SafeString:
    return format_html('<span class="cls">{}{}</span>', drawn, words)


@register.simple_tag
def place_icon(place: str) -> SafeString:
    return _icon(_icons.PLACE_ICONS[place], "ic-s mute")


@register.simple_tag
def severity(value: str | int | None) -> SafeString:
    level = _words.severity_level(value)
    if level == 0:
        return format_html('<span class="mute text-xs">{}</span>', "Not rated")
    return _drawn_severity(level)


@_drawn_once
def _drawn_severity(level: int) -> SafeString:
    return format_html(
        '<span class="sev" data-s="{}"><i aria-hidden="true"><b></b><b></b><b></b><b></b></i>{}</span>',
        level,
        _words.SEVERITY_WORDS[level],
    )


@register.simple_tag
def tag(words: str, icon: str = "", mono: bool = False) -> SafeString:
    return format_html(
        '<span class="tag{}">{}{}</span>', " mono" if mono else "", _icon(icon) if icon else "", words
    )


@register.simple_tag
def ago(moment: datetime | None, never: str = "never") -> SafeString:
    """A relative time that keeps itself up to date; the exact time on hover."""
    if moment is None:
        return format_html('<span class="mute">{}</span>', never)
    filling = {
        "at": moment.isoformat(timespec="milliseconds"),
        "exact": _words.exact_time(moment),
        "words": _words.relative_time(moment, timezone.now()),
    }
    return filled("components/_ago.html", [filling])


register.filter("span", span_in_words)


@register.filter
def oneline(text: object) -> SafeString:
    """A stranger's text on one line: escaped, its direction isolated, the invisible shown as U+XXXX."""
    line = _text.one_line(str(text))
    shown = line if _text.hides_nothing(line) else _text.visible(line)
    return filled("components/_line.html", [{"text": shown}])


@register.filter
def plain(text: object) -> str:
    """As `oneline`, for titles, options and labels: text and nothing else."""
    return _text.visible_plain(str(text))


@register.filter
def browser(user_agent: object) -> str:
    return browser_words(str(user_agent))


@register.filter
def shown(text: object) -> SafeString:
    """As `oneline`, but lines stay lines."""
    return filled("components/_lines.html", [{"text": _text.visible(str(text))}])


@register.filter
def with_code(text: object) -> SafeString:
    """As `shown`, for our own sentences about a policy: names in them are marked as code."""
    return filled("components/_lines.html", [{"text": _text.with_code(str(text))}])


@register.simple_tag
def json_text(text: str) -> SafeString:
    """For `code`, which people copy."""
    return _json.to_copy(text)


@register.simple_tag
def json_line(text: str) -> SafeString:
    """One line of a text whose lines are numbered or compared."""
    return _json.line(text)


_CHOSEN = format_html("{}", " selected")


@register.simple_tag
def options(choices: Iterable[tuple[str, str]], wanted: object = None) -> SafeString:
    """The options of a select that may have hundreds: the value of each and a stranger's words for it."""
    return filled(
        "components/_option.html",
        (
            {"value": value, "chosen": _CHOSEN if value == wanted else "", "words": plain(words)}
            for value, words in choices
        ),
    )


# ---- figures
@register.inclusion_tag("components/share_bar.html")
def share_bar(counts: Mapping[str, int]) -> dict[str, Any]:
    parts = [part for part in _words.ordered_effects(counts) if part[2]]
    starts = accumulate((count for _, _, count in parts), initial=0)
    return {
        "parts": [(key, start, count) for (key, _, count), start in zip(parts, starts, strict=False)],
        "total": sum(count for _, _, count in parts) or 1,
        "words": ", ".join(f"{count} {words.lower()}" for _, words, count in parts) or "no tools",
    }


@register.inclusion_tag("components/effect_counts.html")
def effect_counts(
    counts: Mapping[str, int], live: Mapping[str, int] | None = None, all: bool = False
) -> dict[str, Any]:
    """Zeroes are left out unless there is something to compare with, or `all` asks for them."""
    before = {key: count for key, _, count in _words.ordered_effects(live or {})}
    rows = [
        (key, words, count, _words.difference(count - before[key]) if live is not None else "")
        for key, words, count in _words.ordered_effects(counts)
        if count or all or live is not None
    ]
    return {"rows": rows, "compared": live is not None}


@register.inclusion_tag("components/rollout.html")
def rollout(state: Any, words: str = "") -> dict[str, Any]:
    total = int(getattr(state, "total", 0) or 0)
    in_step = min(int(getattr(state, "in_step", 0) or 0), total)
    refused = min(int(getattr(state, "refused", 0) or 0), total - in_step)
    words = words or getattr(state, "words", "")
    return {
        "total": total,
        "in_step": in_step,
        "ticks": ["done"] * in_step + ["nack"] * refused + ["wait"] * (total - in_step - refused),
        "as_bar": total > 12,
        "words": words or (f"{in_step} of {total} in step" if total else "No gateway connected"),
    }


# ---- blocks
def _render(component: str, **context: object) -> SafeString:
    return loader.render_to_string(f"components/{component}.html", context)


@register.simple_block_tag
def page_header(
    content: str, title: object, lede: object = "", crumbs: Iterable[tuple[object, str]] = ()
) -> SafeString:
    return _render("page_header", content=content, title=title, lede=lede, crumbs=list(crumbs))


@register.simple_block_tag
def note(
    content: str, kind: str = "", icon: str = "", role: str = "", takes_focus: bool = False
) -> SafeString:
    """`takes_focus`: it is what became of a form that was sent, so the page is shown from here."""
    icon = icon or _icons.NOTE_ICONS[kind]
    return _render("note", content=content, kind=kind, icon=icon, role=role, takes_focus=takes_focus)


@register.simple_block_tag
def empty(content: str, title: str, level: int = 2) -> SafeString:
    return _render("empty", content=content, title=title, level=level)


@register.simple_block_tag
def code(content: str, name: str, copy: str = "Copy") -> SafeString:
    return _render("code", content=content, name=name, copy=copy)


@register.simple_block_tag
def table(content: str, caption: str, classes: str = "") -> SafeString:
    return _render("table", content=content, caption=caption, classes=classes)


@register.simple_block_tag
def step(content: str, number: int, title: str, state: str = "") -> SafeString:
    return _render("step", content=content, number=number, title=title, state=state)


# ---- forms
@register.simple_tag(takes_context=True)
def csrf_token(context: Context) -> SafeString:
    """Django's token, and the organization that the form was made for: see `accounts.views.members`."""
    token = CsrfTokenNode().render(context)
    member = getattr(context.get("request"), "member", None)
    if member is None:
        return format_html("{}", token)
    return format_html('{}<input type="hidden" name="within" value="{}">', token, member.organization_id)


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, **options: Any) -> dict[str, Any]:
    return _fields.field_context(bound, options)


@register.inclusion_tag("components/error_summary.html")
def error_summary(form: BaseForm, title: str = "") -> dict[str, Any]:
    return _fields.summary_context(form, title)


@register.inclusion_tag("components/problem_list.html")
def problem_list(problems: Iterable[Any], target: str = "id_document") -> dict[str, Any]:
    """What the compiler and the linter found; the editor at `target` underlines it."""
    return {"problems": list(problems), "target": target}


# ---- ways
register.tag("url", _ways.url)


@register.inclusion_tag("components/seg.html")
def seg(items: Iterable[Mapping[str, Any]], label: str) -> dict[str, Any]:
    return {"items": list(items), "label": label}


@register.inclusion_tag("components/pager.html", takes_context=True)
def pager(context: Context, page: Any, noun: str = "", key: str = "page", at: str = "") -> dict[str, Any]:
    """`key`: the name in the address; a page with two lists needs a different one for each. `at`: the address
    of the list, if it is also shown at the address of a form."""
    query = _query(context, at)
    return {
        "page": page,
        "is_instead": _is_instead(page, query.get(key, "")),
        "noun": noun,
        "label": "Pages" if key == "page" else f"Pages of {noun}",
        "before": _turned(query, at, key, page.previous_page_number()) if page.has_previous() else "",
        "after": _turned(query, at, key, page.next_page_number()) if page.has_next() else "",
    }


def _query(context: Context, at: str) -> QueryDict:
    request = context["request"]
    query: QueryDict = chosen_on(request, at) if at else request.GET
    return query


def _is_instead(page: Any, asked: str) -> bool:
    """True if another page was asked for: the list may have become shorter since its address was kept."""
    try:
        return int(asked) != int(page.number)
    except ValueError:
        return False


def _turned(query: QueryDict, at: str, key: str, number: int) -> str:
    turned = query.copy()
    turned[key] = str(number)
    return f"{at}?{turned.urlencode()}"


@register.simple_tag(takes_context=True)
def theme_attribute(context: Context) -> SafeString | str:
    """The theme the reader chose, right from the first byte. Not for public pages: they read no cookie."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme") if request else None
    theme = {"light": "layer", "dark": "layer-dark"}.get(chosen or "")
    return format_html(' data-theme="{}"', theme) if theme else ""
