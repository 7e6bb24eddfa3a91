"""Static files with hashed names, so that a browser keeps them for ever and a deploy replaces them at once."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticStorage(CompressedManifestStaticFilesStorage):
    """A vendored file may name a source map that is not shipped: that is no reason to fail."""

    manifest_strict = False
