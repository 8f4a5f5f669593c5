from .folder import write_microscope

__all__ = ["write_microscope"]
