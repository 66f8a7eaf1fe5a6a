"""From YAML and ``--set`` to a checked `CheckConfig`, and from that to a plan."""
