"""What loads the assets by itself, and says so when it cannot."""
