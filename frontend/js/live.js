// One stream of events per page: <section data-live="/path/" data-live-into="#rows">.
//   event: row    the data is HTML, put first in the element named by data-live-into (newest first; at most data-live-keep, 500)
//                 (with data-live-at="end" put last)
//   event: swap   the data is HTML; its root takes the place of the element with the same id
//   anything else, and comments, only prove that the connection is alive (send one at least every 15 s)
// The last id seen goes back as Last-Event-ID, so nothing is lost over a break; rows stay while it lasts.
// A tab that has been hidden for half a minute closes its stream and reopens it when shown: browsers allow few connections
// to one host, and six forgotten tabs would keep the seventh from loading. data-live-always exempts a page.
// [data-live-status] shows the connection's state, [data-live-rate="40"] says how many rows came in the last minute (40 before the page),
// [data-live-pause] stops drawing and counts what is missed.
import { fresh } from "./once.js";
import { readEvents } from "./sse.js";
import { singleKey } from "./shortcuts.js";

const SILENCE = 45_000;
const LONGEST_WAIT = 30;
const UNSEEN = 30_000;
const MINUTE = 60_000;

const clock = (date) => date.toISOString().slice(11, 16);

// Focus inside the replaced element moves to its replacement, so the keyboard goes on from there.
function replace(old, element) {
  const at = old?.contains(document.activeElement) ? document.activeElement : null;
  old?.replaceWith(element);
  if (at) (document.getElementById(at.id) ?? element).focus({ preventScroll: true });
}

class Live {
  constructor(box) {
    this.box = box;
    this.rows = document.querySelector(box.dataset.liveInto ?? "#none");
    this.keep = Number(box.dataset.liveKeep ?? 500);
    this.lastId = box.dataset.liveFrom ?? "";
    this.missed = [];
    this.arrivals = [];
    this.connected = false;
    this.paused = false;
    this.failures = 0;
    this.lostAt = null;
    this.stopped = false;
    this.why = "";
  }

  find(name) { return this.box.querySelector(name) ?? document.querySelector(name); }

  say(words, state) {
    const status = this.find("[data-live-status]");
    if (!status) return;
    // That it is lost is announced once, not with every second of the wait.
    const isSaid = status.dataset.state === "lost" && state === "lost";
    (status.querySelector("[role=status]") ?? status).setAttribute("aria-live", isSaid ? "off" : "polite");
    status.dataset.state = state;
    status.dataset.o = state === "live" ? "allow" : state === "paused" ? "hide" : "limit";
    const place = status.querySelector("[data-words]") ?? status;
    if (place.textContent !== words) place.textContent = words;
    this.drawRate?.();
  }

  sayHowItStands() {
    if (this.paused) this.say(this.pausedWords(), "paused");
    else this.say("Live", "live");
  }

  pausedWords() {
    const rows = this.missed.filter((event) => event.type === "row").length;
    return rows ? `Paused, ${rows} new` : "Paused";
  }

  async run() {
    if (this.running) return;
    this.running = true;
    await this.goOn();
    this.running = false;
  }

  async goOn() {
    while (!this.stopped && this.box.isConnected) {
      try {
        await this.listen();
      } catch (error) {
        if (error.name === "Gone") return;
      }
      if (this.stopped || !this.box.isConnected) return;
      await this.waitToRetry();
    }
  }

  async listen() {
    const control = new AbortController();
    let alarm;
    const alive = () => { clearTimeout(alarm); alarm = setTimeout(() => control.abort(), SILENCE); };
    this.control = control;
    alive();
    try {
      const headers = { Accept: "text/event-stream", ...(this.lastId && { "Last-Event-ID": this.lastId }) };
      const answer = await fetch(this.box.dataset.live, { headers, signal: control.signal, cache: "no-store" });
      if (answer.redirected || [401, 403, 404].includes(answer.status)) this.giveUp();
      this.why = answer.status === 429 ? "Not live: too many of your live pages are open. Close one of them" : "";
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.failures = 0;
      this.lostAt = null;
      this.connected = true;
      this.sayHowItStands();
      for await (const event of readEvents(answer.body, alive)) this.take(event);
    } finally {
      clearTimeout(alarm);
      control.abort();
    }
  }

  giveUp() {
    this.say("Not live: sign in again to continue.", "lost");
    throw Object.assign(new Error("the stream is not for this reader"), { name: "Gone" });
  }

  async waitToRetry() {
    this.lostAt ??= new Date();
    this.failures += 1;
    const wait = Math.min(LONGEST_WAIT, 2 ** this.failures);
    for (let left = wait; left > 0 && this.box.isConnected && !this.stopped; left -= 1) {
      const paused = this.paused ? `${this.pausedWords()}. ` : "";
      const why = this.why || `Not live since ${clock(this.lostAt)} UTC`;
      this.say(`${paused}${why}. Trying again in ${left} s`, "lost");
      if (await this.second()) return;
    }
  }

  // True if the connection has come back meanwhile, so there is nothing left to wait for.
  second() {
    return new Promise((done) => {
      const back = () => done(true);
      addEventListener("online", back, { once: true });
      setTimeout(() => { removeEventListener("online", back); done(false); }, 1000);
    });
  }

  take(event) {
    if (event.id) this.lastId = event.id;
    if (event.type !== "row" && event.type !== "swap") return;
    if (event.type === "row") this.arrivals.push(Date.now());
    if (this.paused) {
      this.missed = [...this.missed, event].slice(-this.keep);
      this.sayHowItStands();
      return;
    }
    this.draw(event);
  }

  draw(event) {
    const holder = document.createElement("template");
    holder.innerHTML = event.data;
    for (const element of [...holder.content.children]) {
      if (event.type === "swap") replace(document.getElementById(element.id), element);
      else this.add(element);
      if (!element.isConnected) continue;
      globalThis.htmx?.process(element);
      element.dispatchEvent(new CustomEvent("layer:added", { bubbles: true }));
    }
  }

  add(row) {
    if (row.id && document.getElementById(row.id)) return replace(document.getElementById(row.id), row);
    row.classList.add("new");
    document.querySelectorAll("[data-live-empty]").forEach((empty) => empty.remove());
    if (this.box.dataset.liveAt === "end") return this.rows?.append(row);
    this.markDay(row);
    this.rows?.prepend(row);
    while (this.rows?.childElementCount > this.keep) this.rows.lastElementChild.remove();
  }

  // After midnight the rows below belong to the previous day, as on a page the server renders.
  markDay({ dataset: { day } }) {
    const older = this.rows?.firstElementChild;
    if (!day || !older?.dataset.day || older.dataset.day === day) return;
    older.before(Object.assign(document.createElement("p"), { className: "lday", textContent: older.dataset.day }));
  }

  pause(on) {
    this.paused = on;
    if (!on) this.missed.splice(0).forEach((event) => this.draw(event));
    if (!this.lostAt) this.sayHowItStands();
  }

  start() {
    this.stopped = false;
    this.run();
  }

  stop() {
    this.stopped = true;
    this.control?.abort();
  }
}

// Beside the status, not in it: a screen reader announces that the page is live, not every call.
function bindRate(live) {
  const place = live.find("[data-live-rate]");
  if (!place) return;
  const began = Date.now(), before = Number(place.dataset.liveRate);
  const draw = () => {
    if (!place.isConnected) return clearInterval(timer);
    live.arrivals = live.arrivals.filter((at) => at > Date.now() - MINUTE);
    const old = Math.round(before * Math.max(0, 1 - (Date.now() - began) / MINUTE));
    const rate = old + live.arrivals.length;
    place.textContent = `${rate.toLocaleString("en-GB")} a minute`;
    place.hidden = rate === 0 || live.paused || live.lostAt !== null || !live.connected;
  };
  const timer = setInterval(draw, 2000);
  live.drawRate = draw;
}

function bindPause(live) {
  const button = live.find("[data-live-pause]");
  if (!button) return;
  button.hidden = false;
  const set = (on) => {
    live.pause(on);
    button.setAttribute("aria-pressed", String(on));
    const words = button.querySelector("[data-words]");
    if (words) words.textContent = on ? "Resume" : "Pause";
  };
  button.addEventListener("click", () => set(!live.paused));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, button, a, summary, [contenteditable]");
    if (event.key !== " " || typing || !singleKey(event) || !button.isConnected) return;
    event.preventDefault();
    set(!live.paused);
  });
}

function restUnseen(live) {
  if ("liveAlways" in live.box.dataset) return;
  let alarm;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(alarm);
    if (document.visibilityState === "hidden") alarm = setTimeout(() => live.stop(), UNSEEN);
    else live.start();
  });
}

export function startLive(scope) {
  for (const box of fresh(scope, "[data-live]", "liveReady")) {
    const live = new Live(box);
    bindPause(live);
    bindRate(live);
    addEventListener("pagehide", () => live.stop());
    addEventListener("pageshow", (event) => { if (event.persisted) live.start(); });
    restUnseen(live);
    live.start();
  }
}
