"""A local Azure Resource Graph and Resource Manager over a snapshot, for tests and for authors (`arguard emulate`)."""
