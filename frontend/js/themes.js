import { readCookie, writeCookie } from "./cookies.js";

const THEMES = { light: "layer", dark: "layer-dark" };

export function applyTheme(choice) {
  if (Object.hasOwn(THEMES, choice)) document.documentElement.dataset.theme = THEMES[choice];
  else delete document.documentElement.dataset.theme;
}

function showChoice() {
  const choice = Object.hasOwn(THEMES, readCookie("theme")) ? readCookie("theme") : "system";
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
  }
}

// Always print light: the dark theme would put pale text on white paper.
function printLight() {
  addEventListener("beforeprint", () => { document.documentElement.dataset.theme = THEMES.light; });
  addEventListener("afterprint", () => applyTheme(readCookie("theme")));
}

export function startThemes() {
  printLight();
  showChoice();
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    const choice = button.dataset.themeChoice;
    writeCookie("theme", choice, choice === "system" ? 0 : 365);
    applyTheme(choice);
    showChoice();
    document.dispatchEvent(new CustomEvent("layer:theme"));
  });
}
