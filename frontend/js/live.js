// One stream of events per page: <section data-live="/path/" data-live-into="#rows">.
//   event: row    the data is HTML, put first in the element named by data-live-into (newest first; at most data-live-keep, 500)
//                 (with data-live-at="end" put last)
//   event: swap   the data is HTML; its root takes the place of the element with the same id
//   anything else, and comments, only prove that the line is alive (send one at least every 15 s)
// The last id seen goes back as Last-Event-ID, so nothing is lost over a break; rows stay while it lasts.
// [data-live-status] says how it stands, [data-live-pause] stops drawing and counts what is missed.
import { fresh } from "./once.js";
import { readEvents } from "./sse.js";
import { singleKey } from "./shortcuts.js";

const SILENCE = 45_000;
const LONGEST_WAIT = 30;

const clock = (date) => date.toISOString().slice(11, 16);

class Live {
  constructor(box) {
    this.box = box;
    this.rows = document.querySelector(box.dataset.liveInto ?? "#none");
    this.keep = Number(box.dataset.liveKeep ?? 500);
    this.lastId = box.dataset.liveFrom ?? "";
    this.missed = [];
    this.paused = false;
    this.failures = 0;
    this.lostAt = null;
    this.stopped = false;
  }

  find(name) { return this.box.querySelector(name) ?? document.querySelector(name); }

  say(words, state) {
    const status = this.find("[data-live-status]");
    if (!status) return;
    status.dataset.state = state;
    status.dataset.o = state === "live" ? "allow" : state === "paused" ? "hide" : "limit";
    const place = status.querySelector("[data-words]") ?? status;
    if (place.textContent !== words) place.textContent = words;
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
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      this.failures = 0;
      this.lostAt = null;
      this.sayHowItStands();
      for await (const event of readEvents(answer.body, alive)) this.take(event);
    } finally {
      clearTimeout(alarm);
      control.abort();
    }
  }

  giveUp() {
    this.say("Not live: sign in again to go on.", "lost");
    throw Object.assign(new Error("the stream is not for this reader"), { name: "Gone" });
  }

  async waitToRetry() {
    this.lostAt ??= new Date();
    this.failures += 1;
    const wait = Math.min(LONGEST_WAIT, 2 ** this.failures);
    for (let left = wait; left > 0 && this.box.isConnected; left -= 1) {
      const paused = this.paused ? `${this.pausedWords()}. ` : "";
      this.say(`${paused}Not live since ${clock(this.lostAt)} UTC. Trying again in ${left} s`, "lost");
      await new Promise((done) => setTimeout(done, 1000));
    }
  }

  take(event) {
    if (event.id) this.lastId = event.id;
    if (event.type !== "row" && event.type !== "swap") return;
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
      if (event.type === "swap") document.getElementById(element.id)?.replaceWith(element);
      else this.add(element);
      if (!element.isConnected) continue;
      globalThis.htmx?.process(element);
      element.dispatchEvent(new CustomEvent("layer:added", { bubbles: true }));
    }
  }

  add(row) {
    if (row.id && document.getElementById(row.id)) return document.getElementById(row.id).replaceWith(row);
    row.classList.add("new");
    document.querySelectorAll("[data-live-empty]").forEach((empty) => empty.remove());
    if (this.box.dataset.liveAt === "end") return this.rows?.append(row);
    this.rows?.prepend(row);
    while (this.rows?.childElementCount > this.keep) this.rows.lastElementChild.remove();
  }

  pause(on) {
    this.paused = on;
    if (!on) this.missed.splice(0).forEach((event) => this.draw(event));
    if (!this.lostAt) this.sayHowItStands();
  }

  stop() {
    this.stopped = true;
    this.control?.abort();
  }
}

function bindPause(live) {
  const button = live.find("[data-live-pause]");
  if (!button) return;
  button.hidden = false;
  const set = (on) => {
    live.pause(on);
    button.setAttribute("aria-pressed", String(on));
    const words = button.querySelector("[data-words]");
    if (words) words.textContent = on ? "Go on" : "Pause";
  };
  button.addEventListener("click", () => set(!live.paused));
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, button, a, summary, [contenteditable]");
    if (event.key !== " " || typing || !singleKey(event) || !button.isConnected) return;
    event.preventDefault();
    set(!live.paused);
  });
}

export function startLive(scope) {
  for (const box of fresh(scope, "[data-live]", "liveReady")) {
    const live = new Live(box);
    bindPause(live);
    addEventListener("pagehide", () => live.stop());
    addEventListener("pageshow", (event) => { if (event.persisted) { live.stopped = false; live.run(); } });
    live.run();
  }
}
