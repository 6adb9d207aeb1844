// Tells that someone else saved or published while this page is open, without touching anything typed here.
// This page's own saves arrive over the same stream and are recognised by their version.
import { policyId, remembered } from "../store.js";

const A_WHILE = 1500;

const versionOf = () => Number(document.querySelector("#draft input[name=version]")?.value ?? 0);

// A page rendered before this tab's last save may arrive after the save's response: then the newest is fetched, once.
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
    // A save refused for this reason says the same and offers more.
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

  // The response to this page's own save may arrive just after the event about it.
  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(() => (underWay > 0 ? soon() : show()), A_WHILE);
  }

  document.addEventListener("htmx:beforeSend", () => { underWay += 1; });
  document.addEventListener("htmx:afterRequest", () => { underWay = Math.max(0, underWay - 1); });

  document.addEventListener("layer:added", (event) => event.target.id === "others" && soon());
  document.addEventListener("htmx:afterSettle", () => { if (document.querySelector("#others:not([hidden])")) show(); });
}
