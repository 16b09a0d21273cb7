"""A storm: many Jobs on real servers and real workers, while all of them are killed, frozen and restarted."""
