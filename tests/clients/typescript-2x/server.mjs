// A server of the 2.x SDK, both eras, without sessions: every call it executes is a line on standard output.
// Its tools are named on the command line; what they are called with is not looked at.
import { createServer } from "node:http";

import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, Server } from "@modelcontextprotocol/server";

const tools = process.argv.slice(2).map((name) => ({ name, inputSchema: { type: "object" } }));

function make() {
  const server = new Server({ name: "files", version: "0" }, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", () => ({ tools }));
  server.setRequestHandler("tools/call", ({ params }) => {
    process.stdout.write(JSON.stringify([params.name, params.arguments ?? {}]) + "\n");
    return { content: [{ type: "text", text: "done" }] };
  });
  return server;
}

const listener = createServer(toNodeHandler(createMcpHandler(make, { responseMode: "json" })));
listener.listen(0, "127.0.0.1", () => process.stdout.write(`READY ${listener.address().port}\n`));
