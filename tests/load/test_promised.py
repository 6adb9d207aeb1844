"""The table of promised speeds shows what was measured, and marks a missed floor as missed."""

import subprocess
import sys

import pytest

from tests.load.promised import PROMISED, note, noted, table


def test_what_other_processes_note_is_in_the_table_with_what_it_holds() -> None:
    with noted() as figures:
        note("share", 0.15)
        script = "from tests.load.promised import note; note('memory', 59); note('added p99', 0.4)"
        subprocess.run([sys.executable, "-c", script], check=True)
    assert figures == {"share": 0.15, "memory": 59, "added p99": 0.4}
    rows = dict(zip(PROMISED, table(figures).splitlines()[2:], strict=True))
    assert rows["share"].endswith("| 0.15 | 0.3 | 0.6 | **missed** |")
    assert rows["memory"].endswith("| 59 MB | 80 | 40 | floor |")
    assert rows["added p99"].endswith("| 0.4 ms | 2 | 0.5 | goal |")
    assert rows["peer"].endswith("| not measured | 40 | 100 |  |")


def test_a_figure_nobody_promised_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        note("happiness", 1)
