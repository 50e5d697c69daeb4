"""No secret is stored or said."""
