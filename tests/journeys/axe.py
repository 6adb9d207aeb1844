"""Runs axe in a page that has loaded it, and lists the violations it finds in one theme.

It looks at only the first three of siblings built alike (elements, classes, attribute names, whether there
is text): they show all there is to find, and a hundred take seconds. With `everything` it looks at each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeAlias

import axe_playwright_python
from playwright.sync_api import Page

Rules: TypeAlias = dict[str, list[str]]

AXE: Final = Path(axe_playwright_python.__file__).with_name("axe.min.js")
RULES: Final[Rules] = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS: Final[Rules] = {"runOnly": ["color-contrast", "link-in-text-block"]}
_ALIKE: Final = 3
_ASK = """([theme, rules, most]) => {
  const told = ({name, value}) =>
    ['class', 'style', 'role', 'type'].includes(name) || !value ? `${name}=${value}` : name
  const says = (one) => [...one.childNodes].some((part) => part.nodeType === 3 && part.data.trim())
  const made = (one) => {
    const own = [...one.attributes].map(told).sort()
    return [one.tagName, ...own, says(one), '(', ...[...one.children].map(made), ')'].join(' ')
  }
  const exclude = []
  const walk = (parent) => {
    const seen = {}
    for (const one of parent.children) {
      const kind = parent.children.length > most ? made(one) : ''
      seen[kind] = (seen[kind] ?? 0) + 1
      if (kind && seen[kind] > most) exclude.push(one)
      else walk(one)
    }
  }
  if (most) walk(document.body)
  document.documentElement.dataset.theme = theme
  // Colours that fade from the other theme are still between the two.
  document.getAnimations().forEach((one) => one instanceof CSSTransition && one.finish())
  const where = exclude.length ? {include: [document], exclude} : document
  return axe.run(where, {...rules, resultTypes: ['violations']})
}"""


def violations(page: Page, theme: str, rules: Rules, width: int, *, everything: bool = False) -> list[str]:
    found = page.evaluate(_ASK, [theme, rules, 0 if everything else _ALIKE])
    return [
        f"{theme} at {width}: {violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
