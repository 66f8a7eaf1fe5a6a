"""The user's own training program as the stack. It runs unmodified under accumcheck's settings, and is watched."""
