"""Templates are read line by line: a tag over two lines is shown to people as it was written."""

import re
from pathlib import Path

TEMPLATES = Path(__file__).parents[2] / "templates"
LEFT_OPEN = re.compile(r"\{[{%#](?!.*[}%#]\})")


def test_no_tag_of_a_template_goes_over_two_lines() -> None:
    files = [*TEMPLATES.rglob("*.html"), *TEMPLATES.rglob("*.txt")]
    assert len(files) > 100
    found = [
        f"{file.name}: {line.strip()[-80:]}"
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if LEFT_OPEN.search(line)
    ]
    assert found == []
