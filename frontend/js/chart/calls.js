// Calls by outcome, stacked. The pointer and the arrow keys move through the time buckets; a click, a drag or Enter offers
// the log of the selection. Nothing navigates away on its own.
import uPlot from "uplot";
import { axes, clock, colour, count, day, font, quarters, scale } from "./look.js";

const LINE = 2;

// From the bottom of the stack to the top.
const KINDS = [["allow", "allow", "Allowed"], ["limit", "limit", "Held back"], ["approval", "ask", "Asked a person"], ["deny", "deny", "Denied"], ["hidden", "hide", "Hidden"]];

export function calls(box, place, data) {
  const step = (data.end - data.starts[0]) / data.starts.length;
  const sums = stacked(data);
  const plot = new uPlot(options(box, data, step), [data.starts.map((at) => at + step / 2), ...[...sums].reverse()], place);
  new Walk(box, plot, data, step);
  return plot;
}

// A bucket without calls has no bar: an empty bar's outline would cut the axis.
function stacked(data) {
  let below = data.starts.map(() => 0);
  const sums = KINDS.map(([name]) => (below = below.map((sum, x) => sum + data.counts[name][x])));
  return sums.map((row) => row.map((sum, x) => (below[x] ? sum : null)));
}

function options(box, data, step) {
  const bars = uPlot.paths.bars({ size: [0.88, Infinity], gap: 0 });
  const series = [...KINDS].reverse().map(([name, key]) => ({
    label: name, paths: bars, width: 1, points: { show: false },
    stroke: () => colour(box, "--color-base-100"),
    fill: () => (key === "deny" ? hatch(box) : colour(box, `--${key}-solid`)),
  }));
  return {
    width: box.clientWidth, height: box.clientHeight, padding: [14, 20, 0, 0], legend: { show: false },
    scales: { x: { time: false, range: () => [data.starts[0], data.end] }, y: { range: (plot, low, high) => [0, data.levels.at(-1)] } },
    axes: axes(box, data, { values: { splits: () => data.levels, values: (plot, levels) => levels.map(count) }, ticks: (plot) => quarters(data, plot.width) }),
    series: [{}, ...series],
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false } },
    hooks: { draw: [(plot) => publications(box, plot, data)] },
  };
}

function hatch(box) {
  const side = 7 * scale();
  const tile = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const pen = tile.getContext("2d");
  pen.fillStyle = colour(box, "--deny-solid");
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = colour(box, "--color-base-100");
  pen.lineWidth = side / 4.5;
  for (const at of [-side, 0, side]) {
    pen.beginPath();
    pen.moveTo(at - 2, side + 2);
    pen.lineTo(at + side + 2, -2);
    pen.stroke();
  }
  return pen.createPattern(tile, "repeat");
}

// A dashed line for each publication, labelled where there is room.
function publications(box, plot, data) {
  const { ctx: pen, bbox } = plot;
  const px = scale();
  pen.save();
  pen.strokeStyle = pen.fillStyle = colour(box, "--color-base-content");
  pen.lineWidth = 1.25 * px;
  pen.font = font(box).replace(/^\d+/, (size) => Math.round(size * px));
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  let free = -Infinity;
  for (const { at, words } of data.published) {
    const x = Math.round(plot.valToPos(at, "x", true));
    pen.setLineDash([2 * px, 3 * px]);
    pen.beginPath();
    pen.moveTo(x, bbox.top);
    pen.lineTo(x, bbox.top + bbox.height);
    pen.stroke();
    const width = pen.measureText(words).width + 10 * px;
    const left = x + width > bbox.left + bbox.width ? x - width + 4 * px : x + 6 * px;
    if (left < free || left < bbox.left) continue;
    pen.fillText(words, left, bbox.top - 6 * px);
    free = left + width;
  }
  pen.restore();
}

class Walk {
  constructor(box, plot, data, step) {
    Object.assign(this, { box, plot, data, step, at: null });
    this.tip = made(box, "tip", () => Object.assign(document.createElement("div"), { className: "chart-tip", hidden: true }));
    this.said = made(box, "said", () => Object.assign(document.createElement("p"), { className: "sr-only", role: "status" }));
    this.link = box.parentElement.querySelector("[data-chart-link]");
    plot.over.addEventListener("mousemove", () => this.show(plot.cursor.idx));
    plot.over.addEventListener("mouseleave", () => this.hide());
    plot.over.addEventListener("mouseup", () => setTimeout(() => this.choose()));
    box.onkeydown = (event) => this.key(event);
    box.onblur = () => this.hide();
    this.words();
  }

  words() {
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-label", `${this.data.words}. Left and right move through time, Enter offers the log of it.`);
  }

  range(x) {
    const from = this.data.starts[x];
    const until = from + this.step;
    const long = this.data.end - this.data.starts[0] > 86_400;
    return [from, until, this.step >= 86_400 ? `${day(from)}, UTC` : `${long ? `${day(from)}, ` : ""}${clock(from)} to ${clock(until)} UTC`];
  }

  parts(x) {
    return [...KINDS].reverse().map(([name, key, words]) => [key, words, this.data.counts[name][x]]).filter(([, , calls]) => calls);
  }

  show(x) {
    if (x == null) return this.hide();
    this.at = x;
    const rows = this.parts(x).map(([key, words, calls]) => row(key, words, calls));
    this.tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: this.range(x)[2] }), ...(rows.length ? rows : [row("", "No calls", "")]));
    this.tip.hidden = false;
    const left = this.plot.valToPos(this.plot.data[0][x], "x") + this.plot.over.offsetLeft;
    const width = this.tip.offsetWidth;
    this.tip.style.left = `${left + width + 24 > this.plot.width ? left - width - 16 : left + 16}px`;
  }

  hide() { this.tip.hidden = true; }

  key(event) {
    const last = this.data.starts.length - 1;
    const to = { ArrowLeft: (this.at ?? last + 1) - 1, ArrowRight: (this.at ?? -1) + 1, Home: 0, End: last }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.show(Math.min(last, Math.max(0, to)));
      const parts = this.parts(this.at).map(([, words, calls]) => `${calls} ${words.toLowerCase()}`);
      this.said.textContent = `${this.range(this.at)[2]}: ${parts.join(", ") || "no calls"}`;
      this.plot.setCursor({ left: this.plot.valToPos(this.plot.data[0][this.at], "x"), top: 0 });
    } else if (event.key === "Enter" && this.at !== null && event.target === this.box) {
      this.offer(this.at, this.at);
      this.link?.focus();
    } else if (event.key === "Escape") this.hide();
  }

  choose() {
    const { left, width } = this.plot.select;
    if (width > LINE) return this.offer(this.plot.posToIdx(left), this.plot.posToIdx(left + width));
    if (this.plot.cursor.idx != null) this.offer(this.plot.cursor.idx, this.plot.cursor.idx);
  }

  offer(first, last) {
    if (!this.link) return;
    const from = this.data.starts[first];
    const until = this.data.starts[last] + this.step;
    const calls = KINDS.reduce((sum, [name]) => sum + this.data.counts[name].slice(first, last + 1).reduce((a, b) => a + b, 0), 0);
    this.plot.setSelect({ left: this.plot.valToPos(from, "x"), width: this.plot.valToPos(until, "x") - this.plot.valToPos(from, "x"), top: 0, height: this.plot.over.clientHeight }, false);
    const place = new URL(this.link.dataset.chartLink, location.href);
    place.searchParams.set("since", new Date(from * 1000).toISOString());
    place.searchParams.set("until", new Date(until * 1000).toISOString());
    this.link.href = place.pathname + place.search;
    const ends = this.step >= 86_400 ? [day(from), day(until - 1)] : [clock(from), clock(until)];
    this.link.textContent = `See the ${count(calls)} call${calls === 1 ? "" : "s"} of ${ends[0] === ends[1] ? ends[0] : ends.join(" to ")}`;
    this.link.hidden = false;
  }
}

// Redrawing, as for another theme, must not create a second one.
function made(box, name, make) {
  let found = box.querySelector(`[data-made=${name}]`);
  if (!found) {
    found = make();
    found.dataset.made = name;
    box.append(found);
  }
  return found;
}

function row(key, words, calls) {
  const line = document.createElement("span");
  const mark = Object.assign(document.createElement("i"), { className: "mark" });
  mark.dataset.o = key;
  line.append(mark, words, Object.assign(document.createElement("span"), { className: "num", textContent: calls === "" ? "" : count(calls) }));
  return line;
}
