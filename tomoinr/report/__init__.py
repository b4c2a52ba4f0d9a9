"""A result on one page: report.html, which needs no network, and figures for papers."""

from tomoinr.report.paper import figure_names, write_pdf, write_png
from tomoinr.report.write import FILE, write

__all__ = ["FILE", "figure_names", "write", "write_pdf", "write_png"]
