// [data-countdown data-until data-total] holds <time data-left> and a <progress>; this keeps both up to date. The words are those of approvals/cards.py.
const SOON = 120;
const two = (number) => String(number).padStart(2, "0");

export function leftWords(seconds) {
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60, rest = seconds % 60;
  if (hours) return `${hours} h ${two(minutes)} min left`;
  return minutes ? `${minutes} min ${two(rest)} s left` : `${rest} s left`;
}

function tick() {
  for (const box of document.querySelectorAll("[data-countdown]")) {
    const total = Number(box.dataset.total);
    const left = Math.max(0, Math.floor((Date.parse(box.dataset.until) - Date.now()) / 1000));
    const words = left ? leftWords(left) : "Time is up";
    const place = box.querySelector("[data-left]"), bar = box.querySelector("progress");
    if (place.textContent === words) continue;
    const urgent = left < Math.min(SOON, total / 3);
    place.textContent = words;
    place.classList.toggle("text-deny", urgent);
    place.classList.toggle("font-semibold", urgent);
    bar.value = left;
    bar.dataset.o = urgent ? "deny" : "ask";
  }
}

export function startCountdowns() {
  tick();
  setInterval(() => { if (!document.hidden) tick(); }, 1000);
}
