"""PolicyLayer over its REST API: a typed client, and the `policylayer` command."""
