"""Names in a sentence about a policy stand as code, and what a stranger put there stays text."""

import re

import pytest

from common.templatetags.ui import with_code


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("push_files has no argument args.path.", ["push_files", "args.path"]),
        ('Did you mean "args.files[*].path"?', ["args.files[*].path"]),
        ("The rule for delete_* counts in spend_total too: a person’s.", ["delete_*", "spend_total"]),
        ("Every call is denied, args or not.", []),
        ("<b>a_b</b>\u202e", ["a_b"]),
    ],
)
def test_names_stand_as_code(sentence: str, code: list[str]) -> None:
    written = with_code(sentence)
    assert re.findall('<span class="mono">([^<]*)</span>', written) == code
    assert "<b>" not in written and "\u202e" not in written
    assert written.startswith("<bdi")
