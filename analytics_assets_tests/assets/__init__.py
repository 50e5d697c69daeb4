"""What is selected is loaded, and what a materialization reports."""
