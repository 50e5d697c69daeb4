"""A local stand-in for the analytics API: nine operations over made-up data, faults on order."""
