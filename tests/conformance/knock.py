"""The client that the suite starts: it hands the scenario to the process that waits behind a unix socket."""

import json
import os
import socket
import sys

door, url = sys.argv[1:]
asked = {
    "url": url,
    "scenario": os.environ["MCP_CONFORMANCE_SCENARIO"],
    "revision": os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"],
    "context": os.environ.get("MCP_CONFORMANCE_CONTEXT", "null"),
}
with socket.socket(socket.AF_UNIX) as there:
    there.connect(door)
    there.sendall(json.dumps(asked).encode() + b"\n")
    said = b"".join(iter(lambda: there.recv(4096), b"")).decode()
sys.exit(0 if said == "done" else said)
