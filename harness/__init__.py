"""What tests, benchmarks and screenshots share: servers, commands, kills, and both sides' rows."""
