"""Measurements, as ratios of commands run in turn: absolute times mean little elsewhere."""
