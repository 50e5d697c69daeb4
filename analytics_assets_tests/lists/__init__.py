"""Lists are read to their end, each row once."""
