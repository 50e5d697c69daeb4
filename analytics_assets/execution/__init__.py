"""Where the steps of a run are executed, and what the run says at its end."""
