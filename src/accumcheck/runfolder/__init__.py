"""The wire between the processes of a run: every file of its folder, with its writer and its reader."""
