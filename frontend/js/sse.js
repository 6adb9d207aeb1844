// Reads an event stream as the HTML standard defines it, from a fetch body. `alive` is called for every byte that arrives.
export async function* readEvents(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = blank();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line !== "") { note(event, line); continue; }
      if (event.data.length || event.id) yield { type: event.type, id: event.id, data: event.data.join("\n") };
      event = blank();
    }
  }
}

const blank = () => ({ type: "message", id: "", data: [] });

function note(event, line) {
  const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
  if (name === "event") event.type = value;
  else if (name === "data") event.data.push(value);
  else if (name === "id") event.id = value;
}
