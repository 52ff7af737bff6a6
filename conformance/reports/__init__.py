"""sasakit.conformance.reports: what was found, as text, JSON, JUnit XML and one HTML page."""
