"""Values reach the warehouse as the API has them."""
