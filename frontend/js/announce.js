// Screen readers announce what changes inside a live region that was there before, not one that is inserted with its words or
// shown with them. What a [role=status] says that is new or was drawn again is repeated in a region that stays.
// The event layer:say announces its detail.
const REST = 100;
const STAYS = 5000;

const known = new WeakSet();
let said = new Map();
let waiting;

const keyOf = (region) => region.closest("[id]")?.id ?? "";
const wordsOf = (region) => region.innerText.trim().replace(/\s+/g, " ");
// What is hidden is announced once it is shown; what has no words yet, by the screen reader itself.
const regions = () => [...document.querySelectorAll("[role=status]")].filter((one) => one.checkVisibility() || !one.textContent.trim());

// What is new since the last look, of regions that were not there then.
function news() {
  const now = new Map(), found = [];
  for (const region of regions()) {
    const words = wordsOf(region);
    if (!known.has(region) && words && words !== said.get(keyOf(region))) found.push(words);
    known.add(region);
    now.set(keyOf(region), words);
  }
  said = now;
  return found.join(" ");
}

export function startAnnouncing() {
  const place = Object.assign(document.createElement("div"), { className: "sr-only" });
  place.setAttribute("aria-live", "polite");
  document.body.append(place);
  const say = (words) => {
    if (!words) return;
    const line = Object.assign(document.createElement("p"), { textContent: words });
    place.append(line);
    setTimeout(() => line.remove(), STAYS);
  };
  const look = () => { waiting = null; say(news()); };
  news();
  new MutationObserver(() => { waiting ??= setTimeout(look, REST); }).observe(document.body, { childList: true, subtree: true, attributeFilter: ["hidden"] });
  document.addEventListener("layer:say", (event) => say(event.detail));
  // The answer to what a person asks for is announced even if it is the same as before.
  document.addEventListener("submit", ({ target }) => { for (const one of target.querySelectorAll("[role=status]")) said.delete(keyOf(one)); }, true);
}
