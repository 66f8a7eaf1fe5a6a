"""torchrun's agent, the fork server, devices and time limits: processes are started and ended here only."""
