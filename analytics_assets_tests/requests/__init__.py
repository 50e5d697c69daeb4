"""Requests: what is tried again, waited for, and said when it fails."""
