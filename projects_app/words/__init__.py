"""The words in which a project speaks of its labels: their order, what stands in the way of a change, and the whole set
of them as YAML."""
