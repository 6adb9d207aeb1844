// Actions run strictly in order: each is sent with the text that the previous one returned, from an element that stays in the
// page while its parts are redrawn. While offline they are queued (in the builder even across a reload) and sent when the
// connection is back.
import { keptHere } from "../store.js";

const AGAIN = 3000;
const LOOK = ["show", "q", "open", "unfold", "page"];
const ON_CHANGE = ["predicate", "limit", "reason", "access", "description"];
const OURS = ["version", "document", "view", "csrfmiddlewaretoken"];

const waiting = [];
const listeners = [];
let running = false;
let lost = false;
let wasLost = false;
let opened = null;
let leaving = null;

export const policyForm = () => document.getElementById("policy-form");
export const textOf = () => document.getElementById("id_document").value;
export const onDone = (listener) => listeners.push(listener);
const editor = () => document.getElementById("editor");
const board = () => document.getElementById("board");
const kept = keptHere(localStorage, "acts");

// An act with `of` computes its entries only when its turn has come.
const ask = {};
export const answers = (of, entries) => { ask[of] = entries; };

export function send(entries, extra = {}) {
  const act = { entries, ...extra };
  const last = waiting.at(-1);
  if (last && !act.of && (act.to || waiting.length > 1 || sets(act)) && JSON.stringify(last) === JSON.stringify(act)) return;
  waiting.push(act);
  keep();
  run();
}

async function run() {
  if (running) return;
  running = true;
  await opened;
  while (waiting.length) {
    const before = textOf();
    lost = false;
    await post(waiting[0]);
    if (lost) {
      leaving = null;
      wasLost = true;
      keep();
      say(true);
      await new Promise((done) => { setTimeout(done, AGAIN); addEventListener("online", done, { once: true }); });
      continue;
    }
    const act = waiting.shift();
    if (textOf() !== before) moveUp(act);
    keep();
    say(false);
    for (const listener of listeners) listener(act, before, textOf());
  }
  running = false;
  if (leaving) goOn();
}

// Kept across a reload until the act has its response.
function keep() {
  if (!waiting.length) wasLost = false;
  if (waiting.length && board()) kept.set({ version: version(), acts: waiting, lost: wasLost });
  else kept.drop();
}

// A button that leaves the page (to the review, to another view) submits the current text. Queued actions go first, and if one
// is refused the page stays to show that. "Put mine on top" is the answer to such a refusal, so it goes ahead, provided it still
// names the version that was compared.
function goOn() {
  const { name, value } = leaving;
  leaving = null;
  if (name !== "on_top" && document.querySelector("#draft [role=alert]")) return;
  [...document.querySelectorAll("button[form=policy-form]")].find((button) => button.name === name && button.value === value)?.click();
}

// Limits and reasons are addressed by index: once one is removed, queued acts on later ones move up by one, and queued acts on
// the removed one (such as the second press of a double click) are dropped.
function moveUp(done) {
  for (const act of [...waiting]) {
    const index = field(act, "index");
    const now = index && placeAfter(done, act);
    if (now === null) waiting.splice(waiting.indexOf(act), 1);
    else if (index) index[1] = now;
  }
}

// The index of an act's target after another act is done; null if its target was removed.
function placeAfter(done, act) {
  const at = field(act, "index")[1];
  const [kind, what] = field(done, "do")?.[1].split("-") ?? [];
  const isBeside = what === "drop" && field(done, "index") && field(act, "do")?.[1].startsWith(kind) && ["row", "section"].every((name) => field(act, name)?.[1] === field(done, name)?.[1]);
  const gone = isBeside ? Number(field(done, "index")[1]) : Infinity;
  if (Number(at) === gone) return null;
  return Number(at) > gone ? String(Number(at) - 1) : at;
}

// Enter in a field fires both change and submit for what is one act.
const sets = (act) => ON_CHANGE.includes(field(act, "do")?.[1]);

const field = ({ entries }, name) => entries.findLast(([key]) => key === name);

const version = () => new FormData(policyForm()).get("version");

async function post({ entries: known, of, to }) {
  const entries = of ? ask[of]() : known;
  if (!entries) return;
  const data = new FormData(policyForm());
  for (const key of new Set(entries.map(([key]) => key))) if (!OURS.includes(key)) data.delete(key);
  for (const [key, value] of entries) if (!OURS.includes(key)) data.append(key, value);
  data.delete("then");
  const place = board() ? { target: "#board", swap: "outerHTML" } : { target: "#editor", swap: "none" };
  try {
    await htmx.ajax("POST", to ?? editor().dataset.actUrl, { source: "#editor", ...place, values: data });
  } catch { /* told by htmx:sendError or htmx:responseError */ }
}

function say(isLost) {
  const note = document.getElementById("connection");
  if (!isLost) return note?.remove();
  if (!note) tell("connection", "No connection. Your changes are kept on this machine and made as soon as it is back.");
}

function tell(id, words) {
  const note = Object.assign(document.createElement("p"), { id, className: "note warn", textContent: words });
  note.setAttribute("role", "status");
  document.getElementById("draft").append(note);
}

// Refusals are shown at the top of the page; if that is out of view, scroll there, once.
let told = false;
function showRefusal() {
  const alert = document.querySelector("#draft [role=alert]");
  const top = alert?.getBoundingClientRect().top;
  if (alert && !told && (top < 0 || top > innerHeight)) alert.scrollIntoView({ block: "center" });
  told = Boolean(alert);
}

function undoControls() {
  for (const input of document.querySelectorAll("#board input[type=radio]")) input.checked = input.defaultChecked;
}

function entriesOf(form, submitter) {
  return [...new FormData(form, submitter).entries()];
}

function onChange(event) {
  if (swapping) return;
  const radio = event.target.closest(".cell > input[type=radio]");
  if (radio) return send([["do", "verb"], ["row", radio.closest("[data-row]").dataset.row], ["verb", radio.value]]);
  const form = event.target.closest("form[data-act]");
  const does = form?.querySelector("input[name=do]")?.value;
  if (ON_CHANGE.includes(does)) send(entriesOf(form));
}

function onSubmit(event) {
  const form = event.target;
  if (form === policyForm() && running && event.submitter) {
    event.preventDefault();
    event.stopPropagation();
    leaving = event.submitter;
    return;
  }
  if (form.matches("[data-find]")) {
    event.preventDefault();
    return look(new URLSearchParams(new FormData(form)));
  }
  const button = event.submitter?.matches("[data-act]") ? event.submitter : null;
  // In the JSON view the editor itself applies rewrites.
  if (!button && (!form.matches("form[data-act]") || (!board() && form.matches("[data-rewrite]")))) return;
  event.preventDefault();
  event.stopPropagation();
  const to = button?.getAttribute("formaction") ?? form.getAttribute("action");
  send(entriesOf(form, event.submitter), to === editor().dataset.actUrl ? {} : { to });
  form.closest("details[data-menu]")?.removeAttribute("open");
  // What is typed next replaces it, also before the answer is here; if it is refused, it can be corrected.
  if (document.activeElement.matches(".tokens .more")) document.activeElement.select();
}

function look(query) {
  send([["do", "look"], ...LOOK.map((key) => [key, query.get(key) ?? ""])]);
}

function onClick(event) {
  const link = event.target.closest("a[data-look]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  look(new URL(link.href).searchParams);
}

// Clicking the verb that is already chosen opens its rule; no change event fires for that.
let chosen = null;
function onPress({ target }) {
  const radio = target.closest(".cell")?.querySelector("input[type=radio]");
  chosen = radio?.checked ? radio : null;
}

function openChosen({ target }) {
  if (!target.matches(".cell > input[type=radio]")) return;
  if (target === chosen) target.closest(".brow").querySelector("[data-open-row][aria-expanded=false]")?.click();
  chosen = null;
}

let typing;
function onInput(event) {
  if (event.target.id !== "find") return;
  clearTimeout(typing);
  typing = setTimeout(() => look(new URLSearchParams(new FormData(event.target.form))), 250);
}

// Half-typed text and the focus survive the redraw after an earlier act: fields of a limit or a reason are addressed by index,
// which that act may have shifted.
let half = null;
// Where the focus goes if what has it is gone after a redraw: a rule that was removed, the bar of a selection.
let home = null;
const homeOf = (at) => (at.closest("#bulk") ? "#board .cb[name=rows]:checked" : `#${at.closest(".rulecard, .brow")?.id.replace(/^(card|row)/, "open")}`);
// A redraw takes the field away in which somebody is typing, and browsers take that for a change.
let swapping = false;
const named = (form, name) => [...form.elements].filter((each) => each.name === name);
function remember() {
  swapping = true;
  setTimeout(() => { swapping = false; });
  const at = document.activeElement;
  const first = at?.closest("#board") && document.querySelector(homeOf(at));
  home = first ? `#${first.id}` : at?.closest("#board") && "#board .board";
  const isText = at?.id && at.matches("input:not([type=radio], [type=checkbox]), textarea");
  const isPlaced = isText && at.form?.matches("form[data-act]") && at.form.elements.index;
  if (!isText) return void (half = null);
  half = { id: at.id, typed: at.value !== at.defaultValue && at.value, before: textOf() };
  if (isPlaced) Object.assign(half, { act: { entries: entriesOf(at.form) }, name: at.name, nth: named(at.form, at.name).indexOf(at) });
}

function sameField() {
  const found = document.getElementById(half.id);
  if (!half.act || textOf() === half.before || !waiting.length) return found;
  const now = placeAfter(waiting[0], half.act);
  if (now === field(half.act, "index")[1]) return found;
  const marks = (entries) => JSON.stringify(["index", "row", "section", "do"].map((name) => field({ entries }, name)));
  const wanted = marks([...half.act.entries, ["index", now]]);
  const form = [...document.querySelectorAll("#board form[data-act]")].find((each) => marks(entriesOf(each)) === wanted);
  return form ? named(form, half.name)[half.nth] : null;
}

const isToken = (input, typed) => input.matches(".more") && [...input.parentElement.querySelectorAll("input[type=hidden]")].some(({ value }) => value === typed.trim());

function putBack() {
  const same = half && sameField();
  if (half && same !== document.activeElement && document.activeElement.id === half.id) same ? same.focus() : document.activeElement.blur();
  if (same && same === document.activeElement && half.typed !== false && same.value !== half.typed && !isToken(same, half.typed)) {
    same.value = half.typed;
    same.addEventListener("blur", () => same.value !== same.defaultValue && same.dispatchEvent(new Event("change", { bubbles: true })), { once: true });
  }
  half = null;
  if (home && document.activeElement === document.body) (document.querySelector(home) ?? document.querySelector("#board .board"))?.focus();
  home = null;
}

export function startActs() {
  if (!("mayEdit" in editor().dataset)) return;
  document.addEventListener("submit", onSubmit, true);
  // Only events of the acts themselves; the page makes other requests, too.
  const isAct = ({ detail }) => detail.elt === editor();
  for (const end of ["sendError", "sendAbort", "timeout"]) document.addEventListener(`htmx:${end}`, (event) => { lost ||= isAct(event); });
  // The session has ended, or the page predates a newer sign-in: queued acts are sent once the page is back.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr } = event.detail;
    if (isAct(event) && (xhr.getResponseHeader("HX-Redirect") || xhr.getResponseHeader("HX-Refresh"))) lost = true;
  });
  if (!board()) return;
  document.addEventListener("change", onChange);
  document.addEventListener("click", onClick);
  document.addEventListener("pointerdown", onPress);
  document.addEventListener("click", openChosen);
  document.addEventListener("input", onInput);
  document.addEventListener("htmx:responseError", undoControls);
  document.addEventListener("htmx:beforeSwap", (event) => event.target.id === "board" && remember());
  document.addEventListener("htmx:afterSettle", putBack);
  document.addEventListener("htmx:afterSettle", showRefusal);
  opened = kept.open().then(goOnWith);
}

// Acts left queued by the previous page go before anything done on this one.
function goOnWith(left) {
  if (left?.version === version()) {
    waiting.unshift(...left.acts);
    wasLost = left.lost;
    run();
  } else if (left?.lost || left?.acts.length > 1) tell("unmade", "Your last change was not made: this policy has been saved since. Check that it is as you want it.");
  if (!waiting.length) kept.drop();
}
