// Each line: two texts in base64. Answers for each whether both are read, and as the same value.
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";

const read = (text) => JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, "base64")));

for await (const line of createInterface({ input: process.stdin })) {
  let alike = false;
  try {
    const [one, other] = line.split(" ").map(read);
    alike = isDeepStrictEqual(one, other) && JSON.stringify(one) === JSON.stringify(other);
  } catch {
    alike = false;
  }
  process.stdout.write(`${alike}\n`);
}
