"""The tests; helpers among them are imported as tests.<name>."""
