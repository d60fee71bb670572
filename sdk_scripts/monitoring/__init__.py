"""A project is watched: findings are followed from one inspection to the next, and people are told of them."""
