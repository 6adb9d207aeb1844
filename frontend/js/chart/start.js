import { fresh } from "../once.js";
import { calls } from "./calls.js";
import { latency } from "./latency.js";

const kinds = { calls, latency };
const drawn = new Set();

class Figure {
  constructor(box) {
    this.box = box;
    this.data = JSON.parse(document.getElementById(box.dataset.chart).textContent);
    this.picture = box.querySelector("[data-drawn]");
    this.place = document.createElement("div");
    this.place.className = "live-plot";
  }

  start() {
    this.box.append(this.place);
    this.draw();
    this.picture.hidden = true;
    new ResizeObserver(() => this.fit()).observe(this.box);
  }

  draw() {
    const before = this.plot;
    this.plot = kinds[this.data.kind](this.box, this.place, this.data);
    before?.destroy();
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (width && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }
}

function redrawAll() {
  for (const figure of drawn) figure.box.isConnected ? figure.draw() : drawn.delete(figure);
}

export function startCharts(scope) {
  for (const box of fresh(scope, "[data-chart]", "charted")) {
    const figure = new Figure(box);
    figure.start();
    drawn.add(figure);
  }
}

new MutationObserver(redrawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
// A canvas drawn before its font has loaded uses a fallback and is not redrawn when the font arrives.
document.fonts.addEventListener("loadingdone", redrawAll);
