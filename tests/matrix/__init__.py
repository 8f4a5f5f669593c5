"""Studies of every shape, and all notebooks run on each of them."""
