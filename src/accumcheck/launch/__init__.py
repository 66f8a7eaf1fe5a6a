"""torchrun's agent, the fork server, devices and time limits: the only place where processes are started and ended."""
