from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.template import engines

from common.templatetags import _json
from common.templatetags._words import relative_time
from common.templatetags.ui import json_line, json_text

NOW = datetime(2026, 11, 12, 14, 32, 7, tzinfo=UTC)
TIMES = Path(__file__).parents[2] / "frontend" / "js" / "times.js"


class Registration(forms.Form):
    name = forms.CharField(label="Name", help_text="What your team calls it.")
    url = forms.URLField(label="Server URL", assume_scheme="https")
    secret = forms.CharField(label="Token", widget=forms.PasswordInput, required=False)
    keep = forms.BooleanField(label="Keep it", required=False)


def render(template: str, **context: object) -> str:
    return engines["django"].from_string(template).render(context)


@pytest.mark.parametrize(
    ("hostile", "seen"),
    [
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("a\u202etxt", '<span class="inv">U+202E</span>txt'),
        ("a\u200bb", "U+200B"),
        ("a\x00b", "U+0000"),
        ("tag\U000e0041", "U+E0041"),
        ("hangul\u3164", "U+3164"),
        ("non\u00a0breaking", "U+00A0"),
        ("one\ntwo\t three", "one two three"),
        ("done \u2705\ufe0f", "done \u2705\ufe0f"),
        ("naïve 名前 אב", "naïve 名前 אב"),
    ],
)
def test_a_strangers_text_is_one_line_and_hides_nothing(hostile: str, seen: str) -> None:
    html = render("{{ text|oneline }}", text=hostile)
    assert html.startswith('<bdi class="line">')
    assert seen in html
    assert "\n" not in html


def test_a_title_shows_a_strangers_text_without_markup() -> None:
    shown = render("{{ text|plain }}", text="<b>\u202etxt\n\u2705\ufe0f")
    assert shown == "&lt;b&gt;U+202Etxt \u2705\ufe0f"


def test_a_heading_and_its_crumbs_hide_nothing() -> None:
    html = render(
        "{% page_header title crumbs=crumbs %}{% endpage_header %}",
        title="a\u202eb",
        crumbs=[("c\u202ed", "")],
    )
    assert "\u202e" not in html
    assert html.count("U+202E") == 2


def test_a_hint_may_name_what_a_stranger_named() -> None:
    html = render("{% field form.name hint=hint %}", form=Registration(), hint="Everyone in \u202e<b>")
    assert "Everyone in U+202E&lt;b&gt;" in html


def test_lines_stay_lines_where_they_are_wanted() -> None:
    assert "one\ntwo" in render("{{ text|shown }}", text="one\ntwo")


@pytest.mark.parametrize(
    ("outcome", "code", "key", "words"),
    [
        ("allow", None, "allow", "Allowed"),
        ("deny", "denied", "deny", "Denied"),
        ("deny", "default_deny", "deny", "Denied"),
        ("deny", "hidden", "hide", "Hidden"),
        ("deny", "limit_exceeded", "limit", "Held back"),
        ("approval", "approval_required", "ask", "Waiting"),
        ("deny", "approval_declined", "ask", "Declined"),
        ("deny", "approval_expired", "ask", "Expired"),
    ],
)
def test_what_became_of_a_call_is_glyph_and_word(
    outcome: str, code: str | None, key: str, words: str
) -> None:
    html = render("{% outcome value code %}", value=outcome, code=code)
    assert f'data-o="{key}"' in html
    assert f"#g-{key}" in html
    assert words in html


def test_an_unknown_effect_is_an_error_and_never_a_guess() -> None:
    with pytest.raises(ValueError, match="no effect is called"):
        render('{% effect "permitted" %}')


def test_a_bar_says_in_words_what_it_shows() -> None:
    html = render("{% share_bar counts %}", counts={"denied": 2, "allowed": 20, "hidden": 0})
    assert 'aria-label="20 allowed, 2 denied"' in html
    assert html.index('data-o="allow"') < html.index('data-o="deny"')
    assert 'x="20" width="2"' in html


def test_counts_show_the_difference_to_what_is_live() -> None:
    html = render(
        "{% effect_counts now live=before %}", now={"allowed": 20}, before={"allowed": 22, "denied": 1}
    )
    assert "−2 vs live" in html
    assert "−1 vs live" in html
    assert "as live" in html


@pytest.mark.parametrize(
    ("state", "words", "ticks"),
    [
        (SimpleNamespace(total=4, in_step=3), "3 of 4 in step", 4),
        (SimpleNamespace(total=40, in_step=39), "39 of 40 in step", 0),
        (SimpleNamespace(total=0, in_step=0, words=""), "No gateway connected", 0),
        (SimpleNamespace(total=2, in_step=2, words="2 connected"), "2 connected", 2),
        (None, "No gateway connected", 0),
    ],
)
def test_the_rollout_is_said_in_words(state: object, words: str, ticks: int) -> None:
    html = render("{% rollout state %}", state=state)
    assert words in html
    assert html.count("<b") == ticks


def test_a_wrong_field_is_tied_to_its_error_and_keeps_what_was_typed() -> None:
    html = render("{% field form.url %}", form=Registration({"name": "x", "url": "not a url"}))
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_url_error"' in html
    assert 'id="id_url_error"' in html
    assert 'value="not a url"' in html


def test_a_secret_is_never_written_back() -> None:
    form = Registration({"name": "", "url": "", "secret": "s3cret-value"})
    assert "s3cret-value" not in render("{% field form.secret %}{% error_summary form %}", form=form)


def test_a_hint_is_tied_to_its_field_and_an_optional_one_says_so() -> None:
    form = Registration()
    assert 'aria-describedby="id_name_hint"' in render("{% field form.name %}", form=form)
    assert "(optional)" in render("{% field form.secret %}", form=form)
    assert "(optional)" not in render("{% field form.keep %}", form=form)


def test_a_field_without_a_hint_does_not_refer_to_one() -> None:
    form = Registration()
    form.fields["name"].help_text = "The framework's words"
    assert "aria-describedby" not in render('{% field form.name hint="" %}', form=form)


def test_the_summary_counts_and_links_to_the_fields() -> None:
    html = render('{% error_summary form "Not registered." %}', form=Registration({}))
    assert "Not registered. 2 things to mend:" in html
    assert 'href="#id_name"' in html
    assert render("{% error_summary form %}", form=Registration()).strip() == ""


def test_text_given_to_a_block_is_escaped() -> None:
    html = render('{% code "shell" %}{{ text }}{% endcode %}', text="<b>")
    assert "<code>&lt;b&gt;</code>" in html
    assert "&lt;i&gt;" in render("{% page_header title %}{% endpage_header %}", title="<i>")


SPANS = (0, 0.4, 1, 59, 60, 3599, 3600, 86_399, 86_400, 2 * 86_400, 31 * 86_400, 364 * 86_400, 800 * 86_400)

AHEAD = (119, 86_399, 129_599, 7 * 86_400 - 1, 90 * 86_400 - 1, 90 * 86_400 + 5, 365 * 86_400 + 1)


def test_times_are_said_in_words() -> None:
    said = [relative_time(NOW - timedelta(seconds=seconds), NOW) for seconds in SPANS]
    assert said[:7] == ["now", "now", "1 s ago", "59 s ago", "1 min ago", "59 min ago", "1 h ago"]
    assert said[7:10] == ["23 h ago", "1 day ago", "2 days ago"]
    assert said[10:] == ["1 month ago", "12 months ago", "2 years ago"]
    ahead = [relative_time(NOW + timedelta(seconds=seconds), NOW) for seconds in AHEAD]
    assert ahead == [
        "in 1 min",
        "in 23 h",
        "in 1 day",
        "in 7 days",
        "in 3 months",
        "in 3 months",
        "in 1 year",
    ]


def test_the_browser_says_times_in_the_same_words_as_the_server() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node was not found")
    seconds_ago = [*SPANS, *(-each for each in AHEAD)]
    script = (
        f"const {{ relative }} = await import({json.dumps(TIMES.as_uri())});"
        f"console.log(JSON.stringify({json.dumps(seconds_ago)}.map((s) => relative(0, s * 1000))));"
    )
    answer = subprocess.run(
        [node, "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    moments = [NOW - timedelta(seconds=seconds) for seconds in seconds_ago]
    assert json.loads(answer.stdout) == [relative_time(moment, NOW) for moment in moments]


def test_json_is_told_apart_by_its_parts_and_stays_what_it_is() -> None:
    text = '{"max": 30, "words": ["<b>", "a\\"b", true]}'
    shown = json_text(text)
    assert re.findall(r'class="(\w)">([^<]*)<', shown) == [
        ("k", "&quot;max&quot;"),
        ("n", "30"),
        ("k", "&quot;words&quot;"),
        ("s", "&quot;&lt;b&gt;&quot;"),
        ("s", "&quot;a\\&quot;b&quot;"),
        ("n", "true"),
    ]
    assert html.unescape(re.sub(r"<[^>]+>", "", shown)) == text
    assert html.unescape(json_text(text * 3_000)) == text * 3_000, "a page waits for it: without colours"


def test_what_cannot_be_seen_in_json_is_escaped_where_it_is_copied_and_named_where_lines_are_compared() -> (
    None
):
    text = '"a\u202eb"'
    assert html.unescape(re.sub(r"<[^>]+>", "", json_text(text))) == '"a\\u202eb"'
    assert "U+202E" in json_line(text) and "\u202e" not in json_line(text)
    assert json_line(text) != json_line('"a\\u202eb"')


def test_a_long_text_in_json_is_coloured_and_takes_no_memory_afterwards() -> None:
    long = "x" * 65
    kept = _json._coloured.cache_info().currsize
    assert json_text(f'"{long}"') == f'<span class="s">&quot;{long}&quot;</span>'
    assert _json._coloured.cache_info().currsize == kept
