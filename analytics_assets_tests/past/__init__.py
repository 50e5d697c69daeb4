"""What was loaded long ago is loaded again."""
