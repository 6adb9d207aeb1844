// Focuses a swapped-in error summary (a full page's has autofocus), prevents double submits, marks busy buttons, and handles "Show" beside a secret.
const PENDING_AFTER = 200;

function focusSummary(scope) {
  scope.querySelector("[data-error-summary]")?.focus();
}

function mark(button, busy) {
  if (busy) button.setAttribute("aria-busy", "true");
  else button.removeAttribute("aria-busy");
}

function onSubmit(event) {
  const form = event.target;
  if (event.defaultPrevented || form.hasAttribute("hx-post") || form.method === "dialog") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (button?.matches(".btn")) setTimeout(() => form.dataset.sent && mark(button, true), PENDING_AFTER);
}

function mayBeSent() {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelectorAll("[aria-busy]").forEach((button) => mark(button, false));
  }
}

// After "back" the page's forms may be sent again, and search fields are reset to what the list shows.
function onShow(event) {
  mayBeSent();
  if (!event.persisted && performance.getEntriesByType("navigation")[0]?.type !== "back_forward") return;
  for (const form of document.querySelectorAll("main form[method=get]")) form.reset();
}

function onRevealClick(event) {
  const button = event.target.closest("[data-reveal]");
  if (!button) return;
  const field = document.getElementById(button.dataset.reveal);
  const shows = field.type === "password";
  field.type = shows ? "text" : "password";
  button.setAttribute("aria-pressed", String(shows));
  button.textContent = shows ? "Hide" : "Show";
}

function trackRequests() {
  const waiting = new WeakMap();
  const buttonOf = (event) => {
    const element = event.detail.requestConfig?.triggeringEvent?.submitter ?? event.detail.elt;
    return element?.matches?.(".btn") ? element : null;
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const button = buttonOf(event);
    if (button) waiting.set(button, setTimeout(() => mark(button, true), PENDING_AFTER));
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const button = buttonOf(event);
    if (!button) return;
    clearTimeout(waiting.get(button));
    mark(button, false);
  });
  // htmx applies the last pressed button (its formaction and value) to later requests that the form triggers on its own.
  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, triggeringEvent, verb, formData } = event.detail;
    if (!elt.matches("form[hx-post]") || verb !== "post" || !triggeringEvent || triggeringEvent.type === "submit") return;
    event.detail.path = elt.getAttribute("hx-post");
    const filled = new FormData(elt);
    for (const { name } of [...elt.elements].filter((one) => one.matches("button[name], input[type=submit][name]"))) {
      formData.delete(name);
      for (const value of filled.getAll(name)) formData.append(name, value);
    }
  });
  // Validation errors arrive as 422 and must be swapped in like any response.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if ([409, 412, 422].includes(event.detail.xhr.status)) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });
  document.addEventListener("htmx:afterSwap", (event) => focusSummary(event.target));
}

export function startForms() {
  document.addEventListener("submit", onSubmit);
  document.addEventListener("click", onRevealClick);
  addEventListener("pageshow", onShow);
  // The navigation was stopped or failed: the page stays in use.
  globalThis.navigation?.addEventListener("navigateerror", mayBeSent);
  trackRequests();
}
