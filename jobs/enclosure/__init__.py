"""What the shim is made of: stdlib only, nothing of Django, so that it starts in no time and outlives a deploy."""
