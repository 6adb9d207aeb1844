// One session of the 2.x SDK: steps on standard input, one answer for each on standard output.
import { readFileSync } from "node:fs";

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const asked = JSON.parse(readFileSync(0, "utf8"));

async function call(client, name, given) {
  const progress = [];
  const onprogress = ({ progress: done, total, message }) => progress.push([done, total, message]);
  const result = await client.callTool({ name, arguments: given }, { onprogress });
  return { ...result, progress };
}

async function take(client, step, ...given) {
  switch (step) {
    case "initialize":
      return { protocolVersion: client.getNegotiatedProtocolVersion() };
    case "list_tools":
      return (await client.listTools()).tools;
    case "call_tool":
      return call(client, ...given);
    default:
      throw new Error(`no such step: ${step}`);
  }
}

function trouble(error) {
  return { ok: false, error: { type: error.constructor.name, message: error.message, code: error.code } };
}

const answers = [];
const options = { versionNegotiation: { mode: asked.mode } };
const client = new Client({ name: "typescript-2x", version: "0" }, options);
try {
  const headers = { Authorization: `Bearer ${asked.token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(asked.url), { requestInit: { headers } }));
  for (const step of asked.steps) {
    try {
      answers.push({ ok: true, result: await take(client, ...step) });
    } catch (error) {
      answers.push(trouble(error));
    }
  }
  await client.close();
} catch (error) {
  while (answers.length < asked.steps.length) answers.push(trouble(error));
}
process.stdout.write(JSON.stringify(answers), () => process.exit(0));
