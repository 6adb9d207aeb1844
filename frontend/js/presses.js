// A press counts even if the control is redrawn between pointer down and up. Browsers then dispatch the click only to the
// common ancestor, where nothing listens; it is forwarded to the control now in that place if that is the same control and
// would send the same (a removed row moves the next one under the pointer). Likewise a response requested by an element that
// has been replaced meanwhile goes to its replacement.
const CONTROLS = "a[href], button, summary, label, input";
const MARKS = ["id", "name", "value", "type", "href", "formaction", "for"];

// These two are redrawn each time.
const DRAWN = ["version", "csrfmiddlewaretoken"];

const control = (node) => node?.closest?.(CONTROLS) ?? null;
const sent = (form) => [form.getAttribute("action"), ...[...new FormData(form)].filter(([name]) => !DRAWN.includes(name))];
const marks = (one) => JSON.stringify([one.tagName, one.textContent, MARKS.map((mark) => one.getAttribute(mark)), one.form && sent(one.form)]);

let pressed = null;
let heard = false;

function letGo({ clientX, clientY, ctrlKey, metaKey, shiftKey, altKey }) {
  const was = pressed;
  pressed = null;
  if (!was || was.isConnected) return;
  const now = control(document.elementFromPoint(clientX, clientY));
  if (!now || marks(now) !== marks(was)) return;
  heard = false;
  setTimeout(() => heard || now.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, view: window, ctrlKey, metaKey, shiftKey, altKey })));
}

function followPlace({ detail }) {
  const { xhr, target } = detail;
  const answered = xhr.onload;
  xhr.onload = (event) => {
    if (!target.isConnected && target.id) detail.target = document.getElementById(target.id) ?? target;
    answered.call(xhr, event);
  };
}

export function startPresses() {
  // On touch screens browsers report the press only when the finger is lifted.
  document.addEventListener("pointerdown", (event) => { pressed = event.pointerType !== "touch" && event.button === 0 ? control(event.target) : null; }, true);
  document.addEventListener("pointerup", letGo, true);
  document.addEventListener("click", (event) => { heard = Boolean(control(event.target)); }, true);
  document.addEventListener("htmx:beforeSend", followPlace);
}
