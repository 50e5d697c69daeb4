"""Tests of the demo API, against a real process over real HTTP."""
