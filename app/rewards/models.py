"""What units buy: the catalogue, its limits, stock and slots."""
