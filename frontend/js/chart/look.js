// Shared by both charts: colours, time labels, axes.
import uPlot from "uplot";

const SIZE = 12;

export const colour = (box, name) => getComputedStyle(box).getPropertyValue(name).trim();
export const font = (box) => `${SIZE}px ${getComputedStyle(box).fontFamily}`;
export const scale = () => uPlot.pxRatio;

const two = (number) => String(number).padStart(2, "0");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

export function clock(seconds) {
  const at = new Date(seconds * 1000);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}

export function day(seconds) {
  const at = new Date(seconds * 1000);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
}

export const count = (number) => number.toLocaleString("en-GB");

// Ticks name the day where more than two days are shown, and the time otherwise.
export function axes(box, data, { values, ticks }) {
  const long = data.end - data.starts[0] > 2 * 86_400;
  const shared = { font: font(box), stroke: () => colour(box, "--ink-2"), ticks: { show: false } };
  const line = { stroke: () => colour(box, "--color-base-300"), width: 1 };
  const words = (plot, splits) => splits.map((at) => (long ? day(at) : clock(at)));
  return [
    { ...shared, size: 24, gap: 6, space: 90, grid: { show: false }, values: words, splits: ticks },
    { ...shared, size: widthOf(box, values), gap: 6, grid: line, ...values },
  ];
}

function widthOf(box, values) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = font(box);
  return (plot, words) => 10 + Math.ceil(Math.max(0, ...(words ?? []).map((each) => pen.measureText(each).width)));
}

// Ticks at quarters of the time range, as in the server's picture.
export function quarters(data, width) {
  const parts = width < 420 ? 2 : 4;
  const from = data.starts[0];
  return Array.from({ length: parts + 1 }, (_, part) => from + ((data.end - from) * part) / parts);
}
