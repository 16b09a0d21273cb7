"""The process that keeps definitions in sync and recovers what was lost; one of several leads."""
