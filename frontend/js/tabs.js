// <div data-tabs> with [role=tablist] > [role=tab][aria-controls] and [role=tabpanel]s. Without a script every panel is shown.
import { fresh } from "./once.js";

function select(tabs, chosen, focus) {
  for (const tab of tabs) {
    const on = tab === chosen;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !on;
  }
  if (focus) chosen.focus();
}

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

function onKey(tabs, event) {
  const at = tabs.indexOf(event.target);
  if (at < 0) return;
  const to = { Home: 0, End: tabs.length - 1 }[event.key] ?? (STEPS[event.key] ? (at + STEPS[event.key] + tabs.length) % tabs.length : -1);
  if (to < 0) return;
  event.preventDefault();
  select(tabs, tabs[to], true);
}

export function startTabs(scope) {
  for (const box of fresh(scope, "[data-tabs]", "tabsReady")) {
    const list = box.querySelector("[role=tablist]");
    const tabs = [...list.querySelectorAll("[role=tab]")];
    list.hidden = false;
    select(tabs, tabs.find((tab) => tab.getAttribute("aria-selected") === "true") ?? tabs[0], false);
    list.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) select(tabs, tab, true);
    });
    list.addEventListener("keydown", (event) => onKey(tabs, event));
  }
}
