// A press counts though what is under it is drawn anew before it is let go. The browser tells of such a click only what
// surrounds both, and nobody hears it: it goes to what stands there now, if that is the same control and sends the same;
// where a row is gone, what comes after has moved up under the pointer. And an answer that was asked for by a part of the
// page goes to what has taken that part's place meanwhile.
const CONTROLS = "a[href], button, summary, label, input";
const MARKS = ["id", "name", "value", "type", "href", "formaction", "for"];

// These two are drawn anew each time.
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
  // A finger's press begins, for the browser, when it is let go.
  document.addEventListener("pointerdown", (event) => { pressed = event.pointerType !== "touch" && event.button === 0 ? control(event.target) : null; }, true);
  document.addEventListener("pointerup", letGo, true);
  document.addEventListener("click", (event) => { heard = Boolean(control(event.target)); }, true);
  document.addEventListener("htmx:beforeSend", followPlace);
}
