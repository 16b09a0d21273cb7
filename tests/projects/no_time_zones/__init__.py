"""A project that keeps local times, in a place with a doubled hour in autumn: ``USE_TZ = False``."""
