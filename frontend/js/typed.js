// Restores typed text when submitting a form led to the sign-in page, or to one saying that the page was too old: the form's
// page is loaded again and the text put back. No secret is stored, nothing is restored for anyone else, and nothing is kept
// once any other page is reached.
import { readCookie } from "./cookies.js";
import { isSealed, remembered, sealed } from "./store.js";

// Fields a browser would fill in itself (passwords, codes), and a secret being shown, whose type is text meanwhile.
const SKIPPED = "[type=hidden], [type=password], [type=file], [type=submit], button, [autocomplete$=-password], [autocomplete=one-time-code], .reveal *";
const kept = sealed(sessionStorage, "form");
const interrupted = remembered(sessionStorage, "interrupted:form");
const here = () => location.pathname + location.search;
const isSignedIn = () => Boolean(document.body.dataset.person);

const fieldsOf = (form) => [...form.elements].filter((one) => one.name && !one.matches(SKIPPED));
const isOn = (one) => one.matches("[type=checkbox], [type=radio]");

function keep(event) {
  const form = event.target;
  if (!isSignedIn() || form.method !== "post" || !form.closest("main") || form.closest("#editor")) return;
  const typed = fieldsOf(form).map((one) => [one.name, one.value, isOn(one) ? one.checked : null]);
  const action = form.getAttribute("action");
  kept.set({ page: here(), action, nth: sentTo(action).indexOf(form), typed });
}

const sentTo = (action) => [...document.querySelectorAll("main form")].filter((one) => one.getAttribute("action") === action && one.method === "post");

// Of several forms with the same action, the one that matches most of the typed text: rows may have been added or removed since.
function sameForm({ action, nth, typed }) {
  const forms = sentTo(action);
  const has = (form) => typed.filter(([name]) => fieldsOf(form).some((one) => one.name === name)).length;
  return forms.reduce((best, form) => (has(form) > has(best) ? form : best), forms[nth] ?? forms[0]);
}

function putBack(left) {
  const form = sameForm(left);
  if (!form) return;
  let differs = false;
  for (const [name, value, checked] of left.typed) {
    const one = fieldsOf(form).find((each) => each.name === name && (checked === null || each.value === value));
    if (!one) continue;
    differs ||= checked === null ? one.value !== value : one.checked !== checked;
    if (checked === null) one.value = value;
    else one.checked = checked;
  }
  if (!differs) return;
  for (let fold = form.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  const note = Object.assign(document.createElement("p"), { className: "note ok", textContent: "What you had typed is back. It has not been sent yet." });
  note.setAttribute("role", "status");
  form.prepend(note);
  note.scrollIntoView({ block: "nearest" });
}

function sayWhySignIn(left) {
  const note = document.querySelector("[data-signed-out]");
  if (!note) return;
  note.hidden = !left && readCookie("signed_in") !== "1";
  note.querySelector("[data-typed-kept]").hidden = !left;
}

export function startTyped() {
  document.addEventListener("submit", keep, true);
  const left = isSealed(sessionStorage, "form");
  sayWhySignIn(left);
  if (!left) return;
  const wasInterrupted = interrupted.get();
  if (!isSignedIn() && (wasInterrupted || document.querySelector("[data-signed-out], [data-too-old]"))) return interrupted.set(true);
  interrupted.drop();
  const opened = kept.open();
  kept.drop();
  opened.then((typed) => wasInterrupted && typed?.page === here() && putBack(typed));
}
