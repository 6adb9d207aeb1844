from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.frontend.colours import contrast, srgb, themes

SURFACES = ("color-base-100", "color-base-200", "sunk")
OUTCOMES = ("allow", "limit", "cond", "ask", "deny", "hide")
TEXT = ("color-base-content", "ink-2", "color-accent", *OUTCOMES, "c-key", "c-str", "c-num", "c-punc")
GRAPHICS = (
    "edge",
    *(f"{name}-solid" for name in OUTCOMES),
    "sev-low",
    "sev-medium",
    "sev-high",
    "sev-critical",
)
FILLED = ("primary", "accent", "neutral", "info", "success", "warning", "error", "secondary")


def text_pairs() -> Iterator[tuple[str, str]]:
    yield from ((text, surface) for text in TEXT for surface in SURFACES)
    yield from ((name, f"{name}-bg") for name in OUTCOMES)
    # A note or a marked line carries ink, secondary text and code on a tint.
    yield from ((text, f"{tint}-bg") for tint in OUTCOMES for text in ("color-base-content", "ink-2"))
    yield from (
        (code, f"{tint}-bg")
        for tint in ("deny", "limit", "allow")
        for code in ("c-key", "c-str", "c-num", "c-punc")
    )
    yield from ((f"color-{name}-content", f"color-{name}") for name in FILLED)


def graphic_pairs() -> Iterator[tuple[str, str]]:
    yield from ((graphic, surface) for graphic in GRAPHICS for surface in SURFACES)


def below(theme: str, pairs: Iterator[tuple[str, str]], least: float) -> dict[str, float]:
    tokens = themes()[theme]
    measured = {f"{on} on {under}": contrast(tokens[on], tokens[under]) for on, under in pairs}
    return {pair: round(ratio, 2) for pair, ratio in measured.items() if ratio < least}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_on_every_surface_it_may_stand_on(theme: str) -> None:
    assert below(theme, text_pairs(), 4.5) == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_border_bar_and_glyph_stands_out_from_what_is_behind_it(theme: str) -> None:
    assert below(theme, graphic_pairs(), 3.0) == {}


def test_dark_has_its_own_of_every_colour() -> None:
    assert themes()["dark"].keys() == themes()["light"].keys()


def test_the_measure_itself_is_right() -> None:
    assert srgb(1, 0, 0) == (1.0, 1.0, 1.0)
    assert tuple(round(255 * part) for part in srgb(0.627955, 0.257683, 29.2339)) == (255, 0, 0)
    assert round(contrast((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), 2) == 21.0
