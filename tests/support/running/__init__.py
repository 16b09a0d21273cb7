"""What runs beside a test: servers, workers, other processes; and what waits for them."""
