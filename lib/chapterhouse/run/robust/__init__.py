"""Whether claims hold anywhere: notebooks over instruction sets, threads and seeds."""
