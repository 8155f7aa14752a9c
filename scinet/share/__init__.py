"""Results to hand over: reports in HTML, and projects and styles for QGIS."""
