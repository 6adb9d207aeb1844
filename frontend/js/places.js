// A form that leads back to its own page leaves the reader where they were: the same part of the page is in sight, and the
// focus is on what was pressed, on what has taken its place, or on the section it was in. A refusal in the page claims both for
// itself by autofocus.
import { remembered } from "./store.js";

const GOOD_FOR = 60_000;
const left = remembered(sessionStorage, "place");

const label = (section) => section?.getAttribute("aria-labelledby") ?? section?.getAttribute("aria-label");
// Without an action a form is sent to the address of its page.
const sentTo = (form) => new URL(form.getAttribute("action") ?? "", location).pathname;
const buttons = (form) => [...form.querySelectorAll("button")];
const inSight = (element) => (element?.checkVisibility() ? element : element?.closest("details")?.querySelector("summary"));

function onSubmit(event) {
  const { target: form, submitter } = event;
  if (event.defaultPrevented || form.method !== "post" || form.hasAttribute("hx-post") || !form.closest("main")) return;
  left.set({
    page: location.pathname,
    at: Date.now(),
    y: scrollY,
    form: sentTo(form),
    top: form.getBoundingClientRect().top,
    button: buttons(form).indexOf(submitter),
    section: label(form.closest("section")),
    byKey: submitter?.matches(":focus-visible") ?? false,
  });
}

function comeBack() {
  const place = left.get();
  left.drop();
  if (!place || Date.now() - place.at > GOOD_FOR || document.querySelector("main [autofocus]")) return;
  // Where rows share one address, a form of another row would be taken for this one.
  const forms = [...document.querySelectorAll("main form")].filter((one) => sentTo(one) === place.form);
  const form = forms.length === 1 ? forms[0] : undefined;
  const section = [...document.querySelectorAll("main section")].find((one) => place.section && label(one) === place.section);
  const pressed = inSight(form && buttons(form)[place.button]);
  if (pressed) scrollBy(0, (form.checkVisibility() ? form : pressed).getBoundingClientRect().top - place.top);
  // Without either it is another page, even at the same address: a new token, for instance.
  else if (section && place.page === location.pathname) {
    scrollTo(0, place.y);
    section.tabIndex = -1;
  } else return;
  (pressed ?? section).focus({ preventScroll: true, focusVisible: place.byKey });
}

export function startPlaces() {
  comeBack();
  document.addEventListener("submit", onSubmit);
}
