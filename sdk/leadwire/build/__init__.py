"""Stage `build`: from generated sources to a linked image with its sections, stack bound and identity."""

from leadwire.build.image import build_host_library, build_image

__all__ = ["build_host_library", "build_image"]
