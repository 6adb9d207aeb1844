// Keeps <time data-ago> up to date. The words are those of common/templatetags/_words.py.
const MINUTE = 60, HOUR = 3600, DAY = 86400;
const SPANS = [[MINUTE, 1, "s"], [HOUR, MINUTE, "min"], [DAY, HOUR, "h"], [30 * DAY, DAY, "day"], [365 * DAY, 30 * DAY, "month"], [Infinity, 365 * DAY, "year"]];

function span(seconds, roundedFrom = Infinity) {
  const [, unit, word] = SPANS.find(([below]) => seconds < below);
  const count = Math.floor((seconds + (unit >= roundedFrom ? unit / 2 : 0)) / unit);
  return `${count} ${word}${count !== 1 && (word.length > 3 || word === "day") ? "s" : ""}`;
}

export function relative(moment, now) {
  const seconds = (now - moment) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  const whole = Math.floor(Math.abs(seconds));
  return seconds > 0 ? `${span(whole)} ago` : `in ${span(whole, DAY)}`;
}

function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const words = relative(Date.parse(time.dateTime), now);
    if (time.textContent !== words) time.textContent = words;
  }
}

export function startTimes() {
  tick();
  setInterval(() => { if (!document.hidden) tick(); }, 1000);
}
