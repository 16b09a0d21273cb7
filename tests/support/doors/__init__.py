"""What goes through the doors of the console and of REST: addresses, calls, and who may use them."""
