"""What a configuration may say, and which APIs it loads."""
