"""See for yourself that object detectors emerge inside scene networks."""
