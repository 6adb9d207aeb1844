// Somebody else saved or published while this page is open: said, and nothing that was typed is touched.
// One's own saves come over the same stream; they are known by the version this page already has.
import { policyId, remembered } from "../store.js";

const A_WHILE = 1500;

const versionOf = () => Number(document.querySelector("#draft input[name=version]")?.value ?? 0);

// A page may have been written before this tab's last save and come after its answer: then the newest is asked for, once.
export function startNewest() {
  const saved = remembered(sessionStorage, `version:${policyId()}`);
  const isBehind = saved.get() > versionOf();
  saved.drop();
  if (isBehind) return location.reload();
  document.addEventListener("htmx:afterRequest", (event) => event.detail.successful && saved.set(versionOf()));
}

export function startOthers() {
  const form = document.getElementById("policy-form");
  const began = Number(form.dataset.revision);
  let waiting;
  let underWay = 0;

  function show() {
    const notice = document.getElementById("others");
    if (!notice) return;
    // A save that was refused for it says the same, and offers more.
    const told = document.querySelector("#draft [name=on_top]");
    const saved = Number(notice.dataset.version) > versionOf() && !told;
    const published = Number(notice.dataset.revision) > began;
    for (const part of notice.querySelectorAll("[data-saved]")) part.hidden = !saved;
    for (const part of notice.querySelectorAll("[data-published]")) part.hidden = !published;
    const here = new URL(location.href);
    const link = notice.querySelector("[data-open-newest]");
    if (link) link.href = here.pathname + here.search;
    notice.hidden = !saved && !published;
  }

  // The answer to one's own save may come a moment after the news of it.
  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(() => (underWay > 0 ? soon() : show()), A_WHILE);
  }

  document.addEventListener("htmx:beforeSend", () => { underWay += 1; });
  document.addEventListener("htmx:afterRequest", () => { underWay = Math.max(0, underWay - 1); });

  document.addEventListener("layer:added", (event) => event.target.id === "others" && soon());
  document.addEventListener("htmx:afterSettle", () => { if (document.querySelector("#others:not([hidden])")) show(); });
}
