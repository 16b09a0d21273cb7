"""The servers of the demo: installed, started, watched and stopped."""
