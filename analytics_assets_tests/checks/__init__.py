"""Asset checks, and what a person accepts of their findings."""
