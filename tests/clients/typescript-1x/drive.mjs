// One session of the 1.x SDK: steps on standard input, one answer for each on standard output.
// Over HTTP to `url`, or, where a `command` is given, over that program's standard input and output.
import { readFileSync } from "node:fs";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const asked = JSON.parse(readFileSync(0, "utf8"));

function wire() {
  if (asked.command) {
    const [command, ...args] = asked.command;
    return new StdioClientTransport({ command, args, env: { ...process.env, ...asked.env }, stderr: "ignore" });
  }
  const headers = { Authorization: `Bearer ${asked.token}` };
  return new StreamableHTTPClientTransport(new URL(asked.url), { requestInit: { headers } });
}

async function pages(fetch, field) {
  const items = [];
  let cursor;
  do {
    const page = await fetch(cursor ? { cursor } : undefined);
    items.push(...page[field]);
    cursor = page.nextCursor;
  } while (cursor);
  return items;
}

async function call(client, name, given) {
  const progress = [];
  const onprogress = ({ progress: done, total, message }) => progress.push([done, total, message]);
  const result = await client.callTool({ name, arguments: given }, undefined, { onprogress });
  return { ...result, progress };
}

async function take(client, step, ...given) {
  switch (step) {
    case "initialize":
      return { serverInfo: client.getServerVersion() };
    case "list_tools":
      return pages((cursor) => client.listTools(cursor), "tools");
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
const client = new Client({ name: "typescript-1x", version: "0" });
try {
  await client.connect(wire());
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
