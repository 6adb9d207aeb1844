// Milliseconds added: the median and the 99th percentile. A bucket without calls breaks the lines.
import uPlot from "uplot";
import { axes, clock, colour, day } from "./look.js";

export function latency(box, place, data) {
  const step = (data.end - data.starts[0]) / data.starts.length;
  const line = (name, dash) => ({ stroke: () => colour(box, name), width: 2, dash, spanGaps: false, points: { size: 5, fill: () => colour(box, name), filter: alone } });
  const plot = new uPlot(
    {
      width: box.clientWidth, height: box.clientHeight, padding: [8, 20, 4, 0], legend: { show: false },
      scales: { x: { time: false, range: () => [data.starts[0], data.end] }, y: { range: () => [0, data.top] } },
      axes: axes(box, data, {
        values: { splits: () => [0, data.top / 2, data.top], values: (_, levels) => levels.map(String) },
        ticks: () => [data.starts[0], data.end],
      }),
      series: [{}, line("--color-base-content", [5, 4]), line("--color-accent")],
      cursor: { y: false, drag: { x: false, y: false, setScale: false } },
    },
    [data.starts.map((at) => at + step / 2), data.slowest, data.median],
    place,
  );
  tell(box, plot, data, step);
  return plot;
}

// A bucket between two empty ones has no line on either side, so it is drawn as a dot.
function alone(u, series) {
  const values = u.data[series];
  return values.flatMap((value, at) => (value != null && values[at - 1] == null && values[at + 1] == null ? [at] : []));
}

// Shows the values under the pointer in the caption below the chart.
function tell(box, plot, data, step) {
  const words = box.parentElement.querySelector("[data-chart-words]");
  if (!words) return;
  words.dataset.rest ??= words.textContent;
  const rest = () => { words.textContent = words.dataset.rest; };
  plot.over.addEventListener("mouseleave", rest);
  plot.over.addEventListener("mousemove", () => {
    const x = plot.cursor.idx;
    if (x == null || data.median[x] == null) return rest();
    const at = data.starts[x];
    const when = step >= 86_400 ? day(at) : `${clock(at)} to ${clock(at + step)}`;
    words.textContent = `${when}: median ${data.median[x].toFixed(2)} ms, 99 of 100 below ${data.slowest[x].toFixed(2)} ms`;
  });
}
