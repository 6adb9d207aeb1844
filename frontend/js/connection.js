// Says that the connection is lost while it is: the page may be out of date, and clicks go nowhere. There are two reasons, the
// machine being offline and a request by htmx without a response; each clears on its own. So does the refusal of a request
// the page made without the reader, which is shown in the words of the refusing page.
const clock = () => new Date().toISOString().slice(11, 16);
const reasons = new Map();

function strip() {
  const made = document.createElement("div");
  made.className = "lost";
  made.setAttribute("aria-live", "polite");
  document.body.append(made);
  return made;
}

export function startConnection() {
  // Inserted empty first: a live region inserted together with its text is not announced.
  const place = strip();
  const draw = () => { place.textContent = reasons.get("offline") ?? [...reasons.values()].at(-1) ?? ""; };
  const say = (reason, words) => { if (!reasons.has(reason)) reasons.set(reason, words); draw(); };
  const end = (reason) => { reasons.delete(reason); draw(); };

  const offline = () => say("offline", `No connection since ${clock()} UTC. What you see may be out of date; what you typed is kept.`);
  const silent = () => say("silent", `The site has not answered since ${clock()} UTC. What you did last may not have arrived; try it again.`);
  addEventListener("offline", offline);
  addEventListener("online", () => end("offline"));
  document.addEventListener("htmx:sendError", silent);
  document.addEventListener("htmx:timeout", silent);
  const refused = ({ responseText }) => {
    const sentence = new DOMParser().parseFromString(responseText, "text/html").querySelector("main p")?.textContent;
    end("refused");
    say("refused", sentence || "That was not done. Load the page again and try once more.");
  };
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful) return;
    end("silent");
    end("refused");
  });
  document.addEventListener("htmx:responseError", ({ detail: { xhr } }) => (xhr.status >= 502 ? silent() : refused(xhr)));
  if (!navigator.onLine) offline();
}
