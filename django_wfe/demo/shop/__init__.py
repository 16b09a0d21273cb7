"""The project around the samples: orders, whose parcels are sent by Jobs."""
