"""Models that come from elsewhere: an archive of weights with a `model.json`, or what another portal exported.

`layout` sorts what was unpacked, `drafts` holds it while somebody looks at it, `order` says what is wrong with it and
which kernel fits, `committing` makes the model. Nothing here opens a file of weights: only a kernel's process does.
"""
